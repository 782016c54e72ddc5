"""The noise level as a vector, and the modulation that all blocks draw from it (AdaLN-single).

Official: ltx_core.model.transformer.{adaln,timestep_embedding}; after PixArt-alpha, arXiv:2310.00426 section 2.3.
"""

from __future__ import annotations

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from ltxbench.model.fused import fused

SINUSOID_CHANNELS = 256
MAX_PERIOD = 10000
ROWS = 6
"""Shift, scale and gate of self-attention, then of the feed-forward."""


def _frequencies(channels: int) -> mx.array:
    half = channels // 2
    exponents = np.float32(-math.log(MAX_PERIOD)) * np.arange(half, dtype=np.float32) / np.float32(half)
    return mx.array(np.exp(exponents.astype(np.float64)).astype(np.float32))


def sinusoid(timesteps: mx.array, channels: int = SINUSOID_CHANNELS) -> mx.array:
    """[...] float32 to [..., channels] float32, cosines first."""
    angles = timesteps.astype(mx.float32)[..., None] * _frequencies(channels)
    return mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=-1)


@fused
def silu(x: mx.array) -> mx.array:
    """x * sigmoid(x) in float32, returned in x's dtype."""
    y = x.astype(mx.float32)
    return (y * mx.sigmoid(y)).astype(x.dtype)


class TimestepEmbedder(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(SINUSOID_CHANNELS, dim)
        self.linear_2 = nn.Linear(dim, dim)

    def __call__(self, waves: mx.array) -> mx.array:
        out: mx.array = self.linear_2(silu(self.linear_1(waves)))
        return out


class Embedding(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.timestep_embedder = TimestepEmbedder(dim)


class AdaLayerNormSingle(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.emb = Embedding(dim)
        self.linear = nn.Linear(dim, ROWS * dim)

    def __call__(self, timesteps: mx.array, dtype: mx.Dtype) -> tuple[mx.array, mx.array]:
        """From timesteps [B, n] float32 (n = 1, or one a token), already scaled:

        the modulation [B, n, 6, dim] and the embedded timestep [B, n, dim], in `dtype`.
        """
        # In bfloat16 the timesteps themselves would lose all but three digits; their sinusoid bears the cast.
        embedded = self.emb.timestep_embedder(sinusoid(timesteps).astype(dtype))
        modulation: mx.array = self.linear(silu(embedded))
        return modulation.reshape(*timesteps.shape, ROWS, -1), embedded
