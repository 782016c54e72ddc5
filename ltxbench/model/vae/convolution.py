"""3-D convolution over channels-last video [B,F,H,W,C] with the VAE's padding.

Official: ltx_core.model.video_vae.convolution.CausalConv3d.
"""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError
from ltxbench.model.vae.config import Stride

# Index one step before the first and one step after the last of n cells.
_EDGES: dict[str, Callable[[int], tuple[int, int]]] = {
    "reflect": lambda n: (1, n - 2),
    "replicate": lambda n: (0, n - 1),
    "circular": lambda n: (n - 1, 0),
}


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

    def __call__(self, x: mx.array) -> mx.array:
        output: mx.array = self.conv(pad(x, self.repeats, self.padding))
        return output


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
    rows, columns = _with_edges(height, mode), _with_edges(width, mode)
    cells = (time[:, None, None] * height + rows[:, None]) * width + columns
    padded = mx.take(x.reshape(batch, -1, channels), cells.reshape(-1), axis=1)
    return padded.reshape(batch, *cells.shape, channels)


def _with_edges(n: int, mode: str) -> mx.array:
    if mode == "reflect" and n < 2:
        raise UsageError(
            "a video one latent cell high or wide cannot be decoded: reflect padding needs two",
            hint="Use a width and a height of at least 64.",
        )
    before, after = _EDGES[mode](n)
    return mx.concatenate([mx.array([before]), mx.arange(n), mx.array([after])])


def channels_last(weights: dict[str, mx.array]) -> dict[str, mx.array]:
    """PyTorch convolution weights [O,I,...] as MLX's [O,...,I]; tensors of fewer dimensions as they are."""
    return {
        name: mx.contiguous(mx.moveaxis(weight, 1, -1)) if weight.ndim > 3 else weight
        for name, weight in weights.items()
    }
