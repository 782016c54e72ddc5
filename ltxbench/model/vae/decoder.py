"""Latents to video. Official: ltx_core.model.video_vae.video_vae.VideoDecoder."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError
from ltxbench.model.checkpoint import Checkpoint, load_strict
from ltxbench.model.cuda import space
from ltxbench.model.device_queue import DeviceQueue, Settle
from ltxbench.model.vae.blocks import DepthToSpaceUpsample, ResBlock, ResStage, Style, divided
from ltxbench.model.vae.config import UPSAMPLING, Block, DecoderConfig, Stride
from ltxbench.model.vae.convolution import Sum, channels_last
from ltxbench.model.vae.rearrange import unpatchify
from ltxbench.model.vae.statistics import PerChannelStatistics

PREFIX = "vae.decoder."


class Decoder(nn.Module):
    """The network. Raw latents [B,F,H,W,C] -> [B,frames,height,width,3]. Parameter names are the official ones."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        style = Style(config.norm, config.padding, config.causal)
        channels = config.channels
        self.patch_size = config.patch_size
        self.conv_in = style.conv(config.latent_channels, channels)
        self.up_blocks: list[nn.Module] = []
        for block in config.blocks:
            made, channels = _up_block(block, channels, style)
            self.up_blocks.append(made)
        self.conv_norm_out = style.normalization(channels)
        self.conv_out = style.conv(channels, config.out_channels * config.patch_size**2)

    def __call__(self, x: mx.array, settle: Settle) -> mx.array:
        """`settle` is given each block's output: its temporaries must go before many more are allocated."""
        y = self.conv_in(Sum(x))
        for block in self.up_blocks:
            y = block(y, settle) if isinstance(block, ResStage) else block(y)
            settle(y.product)
        pixels = self.conv_out(y, self.conv_norm_out)
        video = space.unpatchify(pixels.product, pixels.bias, self.patch_size)
        return unpatchify(pixels.value, self.patch_size) if video is None else video


def _up_block(block: Block, channels: int, style: Style) -> tuple[nn.Module, int]:
    """The module and the channels that leave it."""
    if block.name == "res_x":
        return ResStage(channels, block.layers, style), channels
    out_channels = divided(channels, block.multiplier, f"vae.decoder_blocks, {block.name}")
    if block.name == "res_x_y":
        return ResBlock(channels, out_channels, style), out_channels
    stride = UPSAMPLING[block.name]
    return DepthToSpaceUpsample(channels, stride, block.multiplier, block.residual, style), out_channels


@dataclass(frozen=True)
class VideoDecoder:
    """The network with the statistics that belong to it."""

    config: DecoderConfig
    network: Decoder
    statistics: PerChannelStatistics

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> VideoDecoder:
        """Reads `vae.decoder.*` and `vae.per_channel_statistics.*`; nothing is loaded before it is evaluated.

        Raises WeightsError for a tensor that is missing, unknown or of the wrong shape, and for a configuration
        that is not supported.
        """
        channels = checkpoint.shapes.get(f"{PREFIX}conv_in.conv.bias", (1024,))[0]
        vae = checkpoint.config.get("vae", {})
        config = DecoderConfig.from_json(vae, source=str(checkpoint.path), channels=channels)
        network = Decoder(config)
        load_strict(network, channels_last(checkpoint.tensors(PREFIX)), dtype, source=f"{checkpoint.path}: {PREFIX}")
        return cls(config, network, PerChannelStatistics.from_checkpoint(checkpoint, config.latent_channels))

    @property
    def scale(self) -> Stride:
        """(8, 32, 32): frames, rows and columns of one latent cell."""
        return self.config.scale

    def decode(self, latent: mx.array) -> mx.array:
        """Normalised latent [B,C,F,H,W] -> video [B,3,8(F-1)+1,32H,32W], nominally in [-1,1]."""
        return mx.moveaxis(self.decode_channels_last(latent, DeviceQueue().settle), -1, 1)

    def decode_channels_last(self, latent: mx.array, settle: Settle) -> mx.array:
        """Normalised latent [B,C,F,H,W] -> video [B,8(F-1)+1,32H,32W,3], nominally in [-1,1].

        `settle` is that of the queue in which what is made of the video waits.
        """
        if latent.ndim != 5 or latent.shape[1] != self.config.latent_channels:
            raise UsageError(f"the latent's shape is {latent.shape}, expected [B,{self.config.latent_channels},F,H,W]")
        raw = mx.moveaxis(self.statistics.un_normalize(latent), 1, -1)
        return self.network(raw.astype(self.network.conv_in.conv.weight.dtype), settle)
