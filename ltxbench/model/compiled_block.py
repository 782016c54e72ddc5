"""Transformer blocks as compiled functions, which MLX replays without Python.

Where rows are few a GPU is done with a block about as soon as Python has put the next one together, or sooner. What is
saved: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from ltxbench.model.block import TransformerBlock
from ltxbench.model.cuda.kernel import available
from ltxbench.model.joined_linear import JoinedLinear
from ltxbench.model.rope import Rotation

COMPILED_ROWS = 1024
"""Of all samples together. With more the host keeps ahead of the device, and a block's temporaries count."""


def compiles(rows: int) -> bool:
    """Whether that is faster on the device in use."""
    return rows <= COMPILED_ROWS and available()


@dataclass(frozen=True, eq=False)
class _Compiled:
    joined: JoinedLinear | None
    function: Callable[..., mx.array]
    traces: list[None]
    """One entry for each time that Python ran since it was last looked at."""


class CompiledBlocks:
    """Those of one transformer, each compiled when it is first called. No module: it has no parameters of its own."""

    def __init__(self) -> None:
        self._made: dict[int, _Compiled] = {}

    def __call__(
        self,
        number: int,
        block: TransformerBlock,
        x: mx.array,
        modulation: mx.array,
        rotation: Rotation,
        text: tuple[mx.array, mx.array],
    ) -> mx.array:
        """What `block` makes of the same arguments, with the parameters that it has now."""
        joined = block.attn1.joined
        made = self._made.get(number)
        if made is None or made.joined is not joined:
            made = self._made[number] = _compiled(block, joined)
        out = made.function(x, modulation, rotation.cos, rotation.sin, rotation.sign, *text)
        if made.traces:
            made.traces.clear()
            if joined is not None:
                block.attn1.keep(joined)
        return out


def _compiled(block: TransformerBlock, joined: JoinedLinear | None) -> _Compiled:
    traces = list[None]()

    def run(
        x: mx.array,
        modulation: mx.array,
        cos: mx.array,
        sin: mx.array,
        sign: mx.array,
        keys: mx.array,
        values: mx.array,
    ) -> mx.array:
        traces.append(None)
        return block(x, modulation, Rotation(cos, sin, sign), (keys, values), joined=joined)

    # While it is traced the parameters are others, so that only what is given here can say that they are joined.
    function = mx.compile(run, inputs=[block, joined.layer if joined else {}])
    return _Compiled(joined, function, traces)
