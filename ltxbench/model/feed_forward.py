"""The two-layer perceptrons. Official: ltx_core.model.transformer.{feed_forward,gelu_approx,text_projection}."""

from __future__ import annotations

import math

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.fused import fused

EXPANSION = 4


@fused
def gelu_tanh(x: mx.array) -> mx.array:
    """GELU in its tanh approximation, computed in float32; same shape and dtype."""
    y = x.astype(mx.float32)
    return (0.5 * y * (1 + mx.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y * y * y)))).astype(x.dtype)


class ProjectIn(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, hidden)

    def __call__(self, x: mx.array) -> mx.array:
        return gelu_tanh(self.proj(x))


class FeedForward(nn.Module):
    """[..., dim] to [..., dim] through 4 * dim."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # The middle entry is the official dropout: it has no parameters but counts in the names (net.0, net.2).
        self.net = [ProjectIn(dim, EXPANSION * dim), nn.Identity(), nn.Linear(EXPANSION * dim, dim)]

    def __call__(self, x: mx.array) -> mx.array:
        into, _, out_of = self.net
        out: mx.array = out_of(into(x))
        return out


class CaptionProjection(nn.Module):
    """Text features [B, T, caption_channels] to the transformer's width [B, T, dim]."""

    def __init__(self, caption_channels: int, dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(caption_channels, dim)
        self.linear_2 = nn.Linear(dim, dim)

    def __call__(self, context: mx.array) -> mx.array:
        out: mx.array = self.linear_2(gelu_tanh(self.linear_1(context)))
        return out
