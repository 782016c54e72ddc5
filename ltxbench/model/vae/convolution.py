"""3-D convolution over channels-last video [B,F,H,W,C] with the VAE's padding.

Official: ltx_core.model.video_vae.convolution.CausalConv3d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError
from ltxbench.model.cuda import cells
from ltxbench.model.vae.config import Stride
from ltxbench.model.vae.normalization import EPS, PixelNorm, silu

# Index one step before the first and one step after the last of n cells.
_EDGES: dict[str, Callable[[int], tuple[int, int]]] = {
    "reflect": lambda n: (1, n - 2),
    "replicate": lambda n: (0, n - 1),
    "circular": lambda n: (n - 1, 0),
}


@dataclass(frozen=True)
class Sum:
    """What a convolution leaves [B,F,H,W,C], to be added up by the kernel that reads it, or by `value`."""

    product: mx.array
    bias: mx.array | None = None
    """[C]."""
    residual: mx.array | None = None

    @property
    def value(self) -> mx.array:
        total = self.product if self.bias is None else self.product + self.bias
        return total if self.residual is None else self.residual + total

    def onto(self, residual: mx.array) -> Sum:
        return replace(self, residual=residual)


class CausalConv3d(nn.Module):
    """Kernel 3x3x3. Time is padded by repeating edge frames, space by one cell of `padding` a side.

    Causal: two copies of the first frame in front. Otherwise one of the first in front and one of the last behind.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, padding: str, causal: bool, stride: Stride = (1, 1, 1)
    ) -> None:
        super().__init__()
        self.padding = padding
        self.repeats = (2, 0) if causal else (1, 1)
        edge = 1 if padding == "zeros" else 0  # the convolution itself pads with zeros and with nothing else
        self.conv = nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=(0, edge, edge))

    def __call__(self, x: Sum, norm: nn.Module | None = None) -> Sum:
        """The convolution of x, or of the SiLU of its norm."""
        return self._product(self._prepared(x, norm, keep=False)[1])

    def beside(self, x: Sum, norm: nn.Module | None = None) -> tuple[mx.array, Sum]:
        """x added up, and what the call gives."""
        total, padded = self._prepared(x, norm, keep=True)
        assert total is not None
        return total, self._product(padded)

    def _product(self, padded: mx.array) -> Sum:
        conv = self.conv
        return Sum(mx.conv3d(padded, conv.weight, conv.stride, conv.padding), conv.bias)

    def _prepared(self, x: Sum, norm: nn.Module | None, *, keep: bool) -> tuple[mx.array | None, mx.array]:
        """x added up, at least where that is to be kept; and it normed, activated and padded."""
        if (norm is None or isinstance(norm, PixelNorm)) and cells.fits(x.product.shape[-1], x.product.dtype):
            return cells.add_norm_pad(
                x.product,
                x.bias,
                x.residual,
                repeats=self.repeats,
                edges=_edges(x.product, self.padding),
                eps=None if norm is None else EPS,
                keep=keep,
            )
        total = x.value
        return total, pad(total if norm is None else silu(norm(total)), self.repeats, self.padding)


class PointwiseConv3d(nn.Module):
    """Kernel 1: a linear map of the channels, stored as a convolution [O,1,1,1,I]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = mx.zeros((out_channels, 1, 1, 1, in_channels))
        self.bias = mx.zeros((out_channels,))

    def __call__(self, x: mx.array) -> mx.array:
        return mx.addmm(self.bias, x, self.weight.reshape(self.weight.shape[0], -1).T)


def pad(x: mx.array, repeats: tuple[int, int], mode: str) -> mx.array:
    """Repeats the first and last frame and puts one row and column of `mode` around each; zeros: time only.

    One gather, so that a single copy of the video is made whatever the mode.
    """
    batch, frames, height, width, channels = x.shape
    time = mx.clip(mx.arange(-repeats[0], frames + repeats[1]), 0, frames - 1)
    if mode == "zeros":
        return mx.take(x, time, axis=1)
    rows, columns = (
        mx.concatenate([mx.array([before]), mx.arange(n), mx.array([after])])
        for n, (before, after) in zip((height, width), _edges(x, mode) or (), strict=True)
    )
    cells = (time[:, None, None] * height + rows[:, None]) * width + columns
    padded = mx.take(x.reshape(batch, -1, channels), cells.reshape(-1), axis=1)
    return padded.reshape(batch, *cells.shape, channels)


def _edges(x: mx.array, mode: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The rows, then the columns, that stand before the first and after the last of [B,F,H,W,C]; None for zeros."""
    if mode == "zeros":
        return None
    height, width = x.shape[2:4]
    if mode == "reflect" and min(height, width) < 2:
        raise UsageError(
            "a video one latent cell high or wide cannot be decoded: reflect padding needs two",
            hint="Use a width and a height of at least 64.",
        )
    return _EDGES[mode](height), _EDGES[mode](width)


def channels_last(weights: dict[str, mx.array]) -> dict[str, mx.array]:
    """PyTorch convolution weights [O,I,...] as MLX's [O,...,I]; tensors of fewer dimensions as they are."""
    return {
        name: mx.contiguous(mx.moveaxis(weight, 1, -1)) if weight.ndim > 3 else weight
        for name, weight in weights.items()
    }
