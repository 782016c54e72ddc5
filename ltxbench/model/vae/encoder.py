"""Video to latents. Official: ltx_core.model.video_vae.video_vae.VideoEncoder."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError
from ltxbench.model.checkpoint import Checkpoint, load_strict
from ltxbench.model.vae.blocks import ResBlock, ResStage, SpaceToDepthDownsample, Style, divided
from ltxbench.model.vae.config import DOWNSAMPLING, Block, EncoderConfig, Stride
from ltxbench.model.vae.convolution import Sum, channels_last
from ltxbench.model.vae.rearrange import patchify
from ltxbench.model.vae.statistics import PerChannelStatistics

PREFIX = "vae.encoder."


class Encoder(nn.Module):
    """The network, always causal. Video [B,frames,height,width,3] -> means and log-variances [B,F,H,W,C+...]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        style = Style(config.norm, config.padding, causal=True)
        channels = config.latent_channels
        self.patch_size = config.patch_size
        self.conv_in = style.conv(config.in_channels * config.patch_size**2, channels)
        self.down_blocks: list[nn.Module] = []
        for block in config.blocks:
            made, channels = _down_block(block, channels, style)
            self.down_blocks.append(made)
        self.conv_norm_out = style.normalization(channels)
        self.conv_out = style.conv(channels, config.head_channels)

    def __call__(self, x: mx.array) -> mx.array:
        y = self.conv_in(Sum(patchify(x, self.patch_size)))
        for block in self.down_blocks:
            y = block(y)
            mx.eval(y.product)
        return self.conv_out(y, self.conv_norm_out).value


def _down_block(block: Block, channels: int, style: Style) -> tuple[nn.Module, int]:
    """The module and the channels that leave it."""
    if block.name == "res_x":
        return ResStage(channels, block.layers, style), channels
    if block.name == "res_x_y":
        return ResBlock(channels, channels * block.multiplier, style), channels * block.multiplier
    stride = DOWNSAMPLING[block.name]
    if block.name.endswith("_res"):
        out_channels = channels * block.multiplier
        cells = stride[0] * stride[1] * stride[2]
        divided(channels * cells, out_channels, f"vae.encoder_blocks, {block.name}")
        divided(out_channels, cells, f"vae.encoder_blocks, {block.name}")
        return SpaceToDepthDownsample(channels, out_channels, stride, style), out_channels
    # Of the plain strided convolutions only compress_all_x_y changes the width.
    out_channels = channels * block.multiplier if block.name.endswith("_x_y") else channels
    return style.conv(channels, out_channels, stride), out_channels


@dataclass(frozen=True)
class VideoEncoder:
    """The network with the statistics that belong to it."""

    config: EncoderConfig
    network: Encoder
    statistics: PerChannelStatistics

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> VideoEncoder:
        """Reads `vae.encoder.*` and `vae.per_channel_statistics.*`; nothing is loaded before it is evaluated.

        Raises WeightsError for a tensor that is missing, unknown or of the wrong shape, and for a configuration
        that is not supported.
        """
        config = EncoderConfig.from_json(checkpoint.config.get("vae", {}), source=str(checkpoint.path))
        network = Encoder(config)
        load_strict(network, channels_last(checkpoint.tensors(PREFIX)), dtype, source=f"{checkpoint.path}: {PREFIX}")
        return cls(config, network, PerChannelStatistics.from_checkpoint(checkpoint, config.latent_channels))

    @property
    def scale(self) -> Stride:
        """(8, 32, 32): frames, rows and columns of one latent cell."""
        return self.config.scale

    def encode(self, video: mx.array) -> mx.array:
        """Video [B,3,frames,height,width] in [-1,1] -> normalised latent means [B,C,F,H,W] in float32.

        Frames beyond the last 8k+1 are left out, as in the official code. Raises UsageError for a size that is not
        divisible by 32, or by what the configured blocks need.
        """
        if video.ndim != 5 or video.shape[1] != self.config.in_channels:
            raise UsageError(f"the video's shape is {video.shape}, expected [B,{self.config.in_channels},F,H,W]")
        frames, height, width = video.shape[2:]
        time, rows, columns = self.config.unit
        if height % rows or width % columns:
            raise UsageError(f"a video of {width}x{height} cannot be encoded: the size must be divisible by {rows}")
        video = video[:, :, : frames - (frames - 1) % time]
        output = self.network(mx.moveaxis(video, 1, -1).astype(self.network.conv_in.conv.weight.dtype))
        means = mx.moveaxis(output[..., : self.config.latent_channels], -1, 1)
        return self.statistics.normalize(means)
