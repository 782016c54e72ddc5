"""Normalisation over the channels of channels-last video, and the activation behind it."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

EPS = 1e-8


class PixelNorm(nn.Module):
    """x / sqrt(mean over channels of x^2 + 1e-8), without parameters."""

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, None, EPS)


@mx.compile
def silu(x: mx.array) -> mx.array:
    """x * sigmoid(x), rounded once."""
    y = x.astype(mx.float32)
    return (y * mx.sigmoid(y)).astype(x.dtype)
