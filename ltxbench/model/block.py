"""One transformer block. Official: ltx_core.model.transformer.transformer.BasicAVTransformerBlock, video part."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.attention import Attention
from ltxbench.model.feed_forward import FeedForward
from ltxbench.model.fused import fused
from ltxbench.model.rope import Rotation
from ltxbench.model.timestep import ROWS


@fused
def modulate(x: mx.array, scale: mx.array, shift: mx.array) -> mx.array:
    """x * (1 + scale) + shift in float32, returned in x's dtype."""
    return (x.astype(mx.float32) * (1 + scale.astype(mx.float32)) + shift.astype(mx.float32)).astype(x.dtype)


@fused
def add_gated(x: mx.array, gate: mx.array, update: mx.array) -> mx.array:
    """x + gate * update in float32, returned in x's dtype."""
    return (x.astype(mx.float32) + gate.astype(mx.float32) * update.astype(mx.float32)).astype(x.dtype)


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
    ) -> mx.array:
        """x [B, N, dim], modulation [B, 1 or N, 6, dim], text from `attn2.keys_values`."""
        rows = self.scale_shift_table + modulation
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = (rows[..., row, :] for row in range(ROWS))

        h = modulate(self._norm(x), scale_msa, shift_msa)
        x = add_gated(x, gate_msa, self.attn1.values_only(h) if skip_self_attention else self.attn1(h, rotation))
        x = x + self.attn2.cross(self._norm(x), *text)
        h = modulate(self._norm(x), scale_mlp, shift_mlp)
        return add_gated(x, gate_mlp, self.ff(h))

    def _norm(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, None, self.eps)
