"""Adaptive layer norm: RMS norm, modulation by the noise level, and the gated residual between two of them.

Official: ltx_core.model.transformer.transformer.BasicAVTransformerBlock, after PixArt-alpha, arXiv:2310.00426.
On CUDA a norm and what surrounds it are one kernel (`cuda.rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from ltxbench.model.cuda import rows as cuda_rows
from ltxbench.model.fused import fused


@fused
def modulate(x: mx.array, scale: mx.array, shift: mx.array) -> mx.array:
    """x * (1 + scale) + shift in float32, returned in x's dtype."""
    return (x.astype(mx.float32) * (1 + scale.astype(mx.float32)) + shift.astype(mx.float32)).astype(x.dtype)


@fused
def add_gated(x: mx.array, gate: mx.array, update: mx.array) -> mx.array:
    """x + gate * update in float32, returned in x's dtype."""
    return (x.astype(mx.float32) + gate.astype(mx.float32) * update.astype(mx.float32)).astype(x.dtype)


@dataclass(frozen=True)
class Modulation:
    """The rows that one block is modulated by."""

    rows: mx.array
    """[B or 1, 1 or N, 6, D]: shift, scale and gate of self-attention, then of the feed-forward."""
    eps: float

    def __getitem__(self, row: int) -> mx.array:
        return self.rows[..., row, :]

    def norm(self, x: mx.array, *, scale: int, shift: int) -> mx.array:
        """RMS norm of x [B, N, D], modulated by two of the rows."""
        if self._fused(x):
            return cuda_rows.residual_norm(x, None, self.rows, None, (scale, shift), self.eps)[1]
        return modulate(self._rms(x), self[scale], self[shift])

    def add_norm(
        self,
        x: mx.array,
        update: mx.array,
        *,
        gate: int | None = None,
        scale: int | None = None,
        shift: int | None = None,
    ) -> tuple[mx.array, mx.array]:
        """x + update, gated or not, and the RMS norm of that, modulated or not; both [B, N, D].

        x may be one sample that several updates part from.
        """
        x = mx.broadcast_to(x, update.shape)
        rows = None if scale is None or shift is None else (scale, shift)
        if self._fused(x):
            return cuda_rows.residual_norm(x, update, self.rows, gate, rows, self.eps)
        total = x + update if gate is None else add_gated(x, self[gate], update)
        normed = self._rms(total)
        return total, normed if rows is None else modulate(normed, self[rows[0]], self[rows[1]])

    def _rms(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, None, self.eps)

    def _fused(self, x: mx.array) -> bool:
        one_level_a_sample = self.rows.shape[1] == 1
        return one_level_a_sample and cuda_rows.fits(x.shape[-1], x.dtype)
