"""Several linear layers of one input as one product.

On CUDA the product with one layer's weights does not fill the device where rows are few, and that with three layers'
does better (docs/performance.md). The layers stay, under their official names: their parameters become views of the
joined ones, so that LoRA and quantization see what the files name, and no weight is held twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.cuda.kernel import available
from ltxbench.model.quantized_linear import UnpackingLinear

KINDS = (nn.Linear, nn.QuantizedLinear, UnpackingLinear)


@dataclass(frozen=True, eq=False)
class JoinedLinear:
    """No module, so that the one that holds it has no more parameters than before."""

    layer: nn.Module
    views: tuple[mx.array, ...]
    """The parameters that the single layers were given."""

    def stands_for(self, layers: Sequence[nn.Module]) -> bool:
        """Whether the layers still have those parameters: a LoRA or a quantization gives them others."""
        present = _parameters(layers)
        return len(present) == len(self.views) and all(a is b for a, b in zip(present, self.views, strict=True))

    def give_views(self, layers: Sequence[nn.Module]) -> None:
        """Gives the layers the parameters that they had from the start."""
        views = iter(self.views)
        for layer in layers:
            for name in list(layer):
                layer[name] = next(views)

    def __call__(self, x: mx.array) -> mx.array:
        """What the layers make of x [..., inputs], one after the other along the last axis."""
        return cast("mx.array", self.layer(x))


def joins() -> bool:
    """Whether that is faster on the device in use."""
    return available()


def join(layers: Sequence[nn.Module]) -> JoinedLinear | None:
    """Gives the layers views of joined parameters, evaluated; None, and nothing changed, where they are not alike."""
    if type(layers[0]) not in KINDS or any(_kind(layer) != _kind(layers[0]) for layer in layers):
        return None
    joined = copy(layers[0])
    for name in list(joined):
        whole = mx.concatenate([layer[name] for layer in layers])
        joined[name] = whole
        for layer, view in zip(layers, mx.split(whole, len(layers)), strict=True):
            layer[name] = view
        mx.eval(whole, [layer[name] for layer in layers])
    return JoinedLinear(joined, tuple(_parameters(layers)))


def _kind(layer: nn.Module) -> tuple[Any, ...]:
    scheme = tuple(getattr(layer, name, None) for name in ("group_size", "bits", "mode"))
    return type(layer), scheme, {name: (array.shape, array.dtype) for name, array in layer.items()}


def _parameters(layers: Sequence[nn.Module]) -> list[mx.array]:
    return [array for layer in layers for array in layer.values()]
