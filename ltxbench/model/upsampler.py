"""Doubles the size of a latent between two denoising stages.

Official: ltx_core.model.upsampler. The optional AdaIN is that of diffusers' LTX2LatentUpsamplePipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint, load_strict
from ltxbench.model.vae.config import Stride
from ltxbench.model.vae.convolution import channels_last
from ltxbench.model.vae.rearrange import depth_to_space
from ltxbench.model.vae.statistics import PerChannelStatistics

# Scale: enlarged by the first, then reduced by the second.
RATIOS = {0.75: (3, 4), 1.5: (3, 2), 2.0: (2, 1), 4.0: (4, 1)}


@dataclass(frozen=True)
class UpsamplerConfig:
    """Fields of the file's JSON configuration; defaults as in the official code."""

    in_channels: int = 128
    mid_channels: int = 512
    num_blocks_per_stage: int = 4
    dims: int = 3
    spatial_upsample: bool = True
    temporal_upsample: bool = False
    spatial_scale: float = 2.0
    rational_resampler: bool = False

    @classmethod
    def from_json(cls, config: Mapping[str, Any], *, source: str) -> UpsamplerConfig:
        """Fields that the model does not know are left out. Raises WeightsError that names a field it cannot use."""
        known = {field.name: field for field in fields(cls)}
        values = {name: value for name, value in config.items() if name in known}
        for name, value in values.items():
            kind = type(known[name].default)
            if not (type(value) is kind or (kind is float and type(value) is int)):
                raise WeightsError(f"{source}: {name} is {value!r}, expected {kind.__name__}")
        made = cls(**values)
        if made.dims != 3:
            raise WeightsError(f"{source}: dims is {made.dims}, only 3 is supported")
        if made.in_channels < 1:
            raise WeightsError(f"{source}: in_channels is {made.in_channels}, expected a positive whole number")
        if made.mid_channels < 1 or made.mid_channels % 32:
            raise WeightsError(f"{source}: mid_channels is {made.mid_channels}, expected a multiple of 32")
        if not (made.spatial_upsample or made.temporal_upsample):
            raise WeightsError(f"{source}: spatial_upsample and temporal_upsample are both false")
        if made.resamples and made.spatial_scale not in RATIOS:
            allowed = ", ".join(str(scale) for scale in RATIOS)
            raise WeightsError(f"{source}: spatial_scale is {made.spatial_scale}, supported: {allowed}")
        return made

    @property
    def resamples(self) -> bool:
        """By a ratio, with the rational resampler, and not by a plain factor 2."""
        return self.rational_resampler and self.spatial_upsample and not self.temporal_upsample

    @property
    def stride(self) -> Stride:
        """Factors of time, height and width without the rational resampler."""
        space = 2 if self.spatial_upsample else 1
        return 2 if self.temporal_upsample else 1, space, space


class ResBlock(nn.Module):
    """silu(x + norm2(conv2(silu(norm1(conv1(x)))))), with zero padding."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = GroupNormSilu(channels)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm2 = GroupNormSilu(channels)

    def __call__(self, x: mx.array) -> mx.array:
        return self.norm2(self.conv2(self.norm1(self.conv1(x))), x)


class GroupNormSilu(nn.Module):
    """silu(group norm of x + residual): 32 groups of channels, each over F, H and W jointly. Rounded once."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = mx.ones((channels,))
        self.bias = mx.zeros((channels,))

    def __call__(self, x: mx.array, residual: mx.array | None = None) -> mx.array:
        batch, channels = x.shape[0], x.shape[-1]
        groups = x.reshape(batch, -1, 32, channels // 32).swapaxes(1, 2)
        normed = mx.fast.layer_norm(groups.reshape(batch, 32, -1), None, None, 1e-5)
        normed = normed.reshape(groups.shape).swapaxes(1, 2).reshape(x.shape)
        if residual is None:
            return _silu_affine(normed, self.weight, self.bias)
        return _silu_affine_sum(normed, self.weight, self.bias, residual)


@mx.compile
def _silu_affine(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    y = x.astype(mx.float32) * weight + bias
    return (y * mx.sigmoid(y)).astype(x.dtype)


@mx.compile
def _silu_affine_sum(x: mx.array, weight: mx.array, bias: mx.array, residual: mx.array) -> mx.array:
    y = x.astype(mx.float32) * weight + bias + residual
    return (y * mx.sigmoid(y)).astype(x.dtype)


class BlurDownsample(nn.Module):
    """Keeps every `stride`-th row and column of the image blurred with the stored 5x5 kernel; nothing at stride 1."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.kernel = mx.zeros((1, 5, 5, 1))

    def __call__(self, x: mx.array) -> mx.array:
        if self.stride == 1:
            return x
        channels = x.shape[-1]
        kernel = mx.broadcast_to(self.kernel, (channels, 5, 5, 1))
        return mx.conv2d(x, kernel, stride=self.stride, padding=2, groups=channels)


class RationalResampler(nn.Module):
    """Each frame enlarged by a convolution whose channels become pixels, then reduced."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.enlarge, reduce = RATIOS[scale]
        self.conv = nn.Conv2d(channels, channels * self.enlarge**2, 3, padding=1)
        self.blur_down = BlurDownsample(reduce)

    def __call__(self, x: mx.array) -> mx.array:
        images: mx.array = depth_to_space(_per_frame(self.conv, x), (1, self.enlarge, self.enlarge))
        return _per_frame(self.blur_down, images)


def _per_frame(layer: nn.Module, x: mx.array) -> mx.array:
    """Applies a layer over images [B*F,H,W,C] to video [B,F,H,W,C]."""
    images: mx.array = layer(mx.flatten(x, 0, 1))
    return mx.unflatten(images, 0, x.shape[:2])


class Upsampler(nn.Module):
    """The network, channels last: raw latent [B,F,H,W,C] -> [B,F,2H,2W,C]. Parameter names are the official ones."""

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        channels = config.mid_channels
        self.initial_conv = nn.Conv3d(config.in_channels, channels, 3, padding=1)
        self.initial_norm = GroupNormSilu(channels)
        self.res_blocks = [ResBlock(channels) for _ in range(config.num_blocks_per_stage)]
        self.stride = config.stride
        if config.resamples:
            self.upsampler: RationalResampler | list[nn.Module] = RationalResampler(channels, config.spatial_scale)
        else:
            # The official module is a sequence of a convolution and a shuffle without parameters.
            convolution = nn.Conv3d if config.temporal_upsample else nn.Conv2d
            self.upsampler = [convolution(channels, channels * prod(config.stride), 3, padding=1)]
        self.post_upsample_res_blocks = [ResBlock(channels) for _ in range(config.num_blocks_per_stage)]
        self.final_conv = nn.Conv3d(channels, config.in_channels, 3, padding=1)

    def __call__(self, x: mx.array) -> mx.array:
        x = self.initial_norm(self.initial_conv(x))
        layers: list[Callable[[mx.array], mx.array]] = [
            *self.res_blocks,
            self._enlarged,
            *self.post_upsample_res_blocks,
        ]
        for layer in layers:
            x = layer(x)
            mx.eval(x)  # a layer's temporaries are free before the next one's are allocated
        output: mx.array = self.final_conv(x)
        return output

    def _enlarged(self, x: mx.array) -> mx.array:
        if isinstance(self.upsampler, RationalResampler):
            return self.upsampler(x)
        conv = self.upsampler[0]
        if self.stride[0] == 1:
            return depth_to_space(_per_frame(conv, x), self.stride)
        # The first cell stands for one frame: it is not doubled.
        return depth_to_space(conv(x), self.stride)[:, 1:]


@dataclass(frozen=True)
class LatentUpsampler:
    config: UpsamplerConfig
    network: Upsampler

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> LatentUpsampler:
        """Reads a whole upsampler file; nothing is loaded before it is evaluated.

        Raises WeightsError for a tensor that is missing, unknown or of the wrong shape, and for a configuration
        that is not supported.
        """
        config = UpsamplerConfig.from_json(checkpoint.config, source=str(checkpoint.path))
        network = Upsampler(config)
        load_strict(network, channels_last(checkpoint.tensors("")), dtype, source=str(checkpoint.path))
        return cls(config, network)

    def upsample(self, latent: mx.array, statistics: PerChannelStatistics, adain: float = 0.0) -> mx.array:
        """Normalised latent [B,C,F,H,W] -> normalised latent [B,C,F,2H,2W], float32.

        `statistics` are the VAE's. `adain` moves each channel's mean and spread towards the input's: 0 not at all, as
        the official pipeline does, 1 all the way.
        """
        if latent.ndim != 5 or latent.shape[1] != self.config.in_channels:
            raise UsageError(f"the latent's shape is {latent.shape}, expected [B,{self.config.in_channels},F,H,W]")
        raw = statistics.un_normalize(latent)
        cells = mx.moveaxis(raw, 1, -1).astype(self.network.final_conv.weight.dtype)
        upsampled = mx.moveaxis(self.network(cells), -1, 1).astype(mx.float32)
        if adain:
            upsampled = match_statistics(upsampled, raw, adain)
        return statistics.normalize(upsampled)


def match_statistics(latent: mx.array, reference: mx.array, factor: float) -> mx.array:
    """AdaIN: each channel of [B,C,F,H,W] with the reference's mean and standard deviation, mixed in by `factor`.

    Source: Huang and Belongie 2017, arXiv:1703.06868; diffusers' adain_filter_latent.
    """
    axes = (2, 3, 4)
    mean, spread = latent.mean(axes, keepdims=True), latent.std(axes, keepdims=True, ddof=1)
    wanted_mean, wanted_spread = reference.mean(axes, keepdims=True), reference.std(axes, keepdims=True, ddof=1)
    matched = (latent - mean) / spread * wanted_spread + wanted_mean
    return latent + factor * (matched - latent)
