"""Floating-point operations of decoding: the convolutions, two for each multiply-add, overlapping tiles in full."""

from __future__ import annotations

from itertools import product
from math import prod

from ltxbench.model.vae.config import UPSAMPLING, DecoderConfig, Stride
from ltxbench.model.vae.tiling import Span, TilingConfig, grid

KERNEL = 3**3


def decode_flops(config: DecoderConfig, cells: Stride, tiling: TilingConfig | None) -> int:
    """Of a latent of `cells` (F, H, W), decoded in tiles."""
    tiles = grid(cells, config.scale, tiling)
    spans = ([tile.span for tile in axis] for axis in (tiles.time, tiles.height, tiles.width))
    return sum(tile_flops(config, _sizes(combined)) for combined in product(*spans))


def _sizes(spans: tuple[Span, ...]) -> Stride:
    time, height, width = (span.stop - span.start for span in spans)
    return time, height, width


def tile_flops(config: DecoderConfig, cells: Stride) -> int:
    """Of one tile of `cells` (F, H, W)."""
    size, channels = cells, config.channels
    multiply_adds = KERNEL * prod(size) * config.latent_channels * channels
    for block in config.blocks:
        if block.name in UPSAMPLING:
            stride = UPSAMPLING[block.name]
            after = channels // block.multiplier
            multiply_adds += KERNEL * prod(size) * channels * after * prod(stride)
            size, channels = _upsampled(size, stride), after
        elif block.name == "res_x":
            multiply_adds += block.layers * 2 * KERNEL * prod(size) * channels * channels
        else:  # res_x_y: two convolutions, and a pointwise one for what is added
            after = channels // block.multiplier
            multiply_adds += prod(size) * (KERNEL * after * (channels + after) + channels * after)
            channels = after
    multiply_adds += KERNEL * prod(size) * channels * config.out_channels * config.patch_size**2
    return 2 * multiply_adds


def _upsampled(size: Stride, stride: Stride) -> Stride:
    """Doubled in time the first frame still stands for one."""
    frames = size[0] * stride[0] - (stride[0] == 2)
    return frames, size[1] * stride[1], size[2] * stride[2]
