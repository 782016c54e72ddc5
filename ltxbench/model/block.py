"""One transformer block. Official: ltx_core.model.transformer.transformer.BasicAVTransformerBlock, video part."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.adaln import Modulation, add_gated
from ltxbench.model.attention import Attention
from ltxbench.model.device_queue import Submit, hold_back
from ltxbench.model.feed_forward import FeedForward
from ltxbench.model.joined_linear import JoinedLinear
from ltxbench.model.rope import Rotation
from ltxbench.model.timestep import ROWS

SHIFT_MSA, SCALE_MSA, GATE_MSA, SHIFT_MLP, SCALE_MLP, GATE_MLP = range(ROWS)


class TransformerBlock(nn.Module):
    """Self-attention, attention to the text, feed-forward; the first and the last modulated by the noise level."""

    def __init__(self, dim: int, heads: int, head_dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.attn1 = Attention(dim, heads, head_dim, eps=eps)
        self.attn2 = Attention(dim, heads, head_dim, eps=eps)
        self.ff = FeedForward(dim)
        self.scale_shift_table = mx.zeros((ROWS, dim))

    def __call__(
        self,
        x: mx.array,
        modulation: mx.array,
        rotation: Rotation,
        text: tuple[mx.array, mx.array],
        *,
        skip_self_attention: bool = False,
        joined: JoinedLinear | None = None,
        submit: Submit = hold_back,
    ) -> mx.array:
        """x [B, N, dim], modulation [B, 1 or N, 6, dim], text from `attn2.keys_values`; `joined` as in `attn1`.

        `submit` is given each of the three parts as soon as it is put together.
        """
        level = Modulation(self.scale_shift_table + modulation, self.eps)

        h = level.norm(x, scale=SCALE_MSA, shift=SHIFT_MSA)
        h = self.attn1.values_only(h) if skip_self_attention else self.attn1(h, rotation, joined=joined)
        x, h = level.add_norm(x, h, gate=GATE_MSA)
        submit(h)
        x, h = level.add_norm(x, self.attn2.cross(h, *text), scale=SCALE_MLP, shift=SHIFT_MLP)
        submit(h)
        x = add_gated(x, level[GATE_MLP], self.ff(h))
        submit(x)
        return x
