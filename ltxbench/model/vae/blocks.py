"""Blocks of encoder and decoder, over channels-last video [B,F,H,W,C]. Attribute names are the official keys.

Each takes and gives a `Sum`, whose additions wait for the next convolution.

Official: ltx_core.model.video_vae.{resnet,sampling}, ltx_core.model.common.normalization.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import WeightsError
from ltxbench.model.cuda import space
from ltxbench.model.device_queue import Settle
from ltxbench.model.vae.config import Stride
from ltxbench.model.vae.convolution import CausalConv3d, PointwiseConv3d, Sum
from ltxbench.model.vae.normalization import PixelNorm
from ltxbench.model.vae.rearrange import depth_to_space, space_to_depth


@dataclass(frozen=True)
class Style:
    """What all blocks of one network share."""

    norm: str
    padding: str
    causal: bool

    def conv(self, in_channels: int, out_channels: int, stride: Stride = (1, 1, 1)) -> CausalConv3d:
        return CausalConv3d(in_channels, out_channels, padding=self.padding, causal=self.causal, stride=stride)

    def normalization(self, channels: int) -> nn.Module:
        if self.norm == "pixel_norm":
            return PixelNorm()
        return nn.GroupNorm(32, channels, eps=1e-6, pytorch_compatible=True)


class ResBlock(nn.Module):
    """x + conv2(silu(norm2(conv1(silu(norm1(x)))))). Where the width changes, x is normalised and mapped to it."""

    def __init__(self, in_channels: int, out_channels: int, style: Style) -> None:
        super().__init__()
        self.norm1 = style.normalization(in_channels)
        self.conv1 = style.conv(in_channels, out_channels)
        self.norm2 = style.normalization(out_channels)
        self.conv2 = style.conv(out_channels, out_channels)
        if in_channels != out_channels:
            self.norm3 = nn.GroupNorm(1, in_channels, eps=1e-6, pytorch_compatible=True)
            self.conv_shortcut = PointwiseConv3d(in_channels, out_channels)

    def __call__(self, x: Sum) -> Sum:
        total, y = self.conv1.beside(x, self.norm1)
        y = self.conv2(y, self.norm2)
        return y.onto(self.conv_shortcut(self.norm3(total)) if "conv_shortcut" in self else total)


class ResStage(nn.Module):
    """Residual blocks of one width."""

    def __init__(self, channels: int, layers: int, style: Style) -> None:
        super().__init__()
        self.res_blocks = [ResBlock(channels, channels, style) for _ in range(layers)]

    def __call__(self, x: Sum, settle: Settle = mx.eval) -> Sum:
        """`settle` is given each block's output: its temporaries must go before many more are allocated."""
        for block in self.res_blocks:
            x = block(x)
            settle(x.product)
        return x


class DepthToSpaceUpsample(nn.Module):
    """Channels become space and time; F frames become 2F-1 where time is doubled, as the first stands for one frame."""

    def __init__(self, channels: int, stride: Stride, multiplier: int, residual: bool, style: Style) -> None:
        super().__init__()
        self.stride, self.residual = stride, residual
        self.conv = style.conv(channels, channels * prod(stride) // multiplier)

    def __call__(self, x: Sum) -> Sum:
        total, y = self.conv.beside(x) if self.residual else (None, self.conv(x))
        return Sum(expanded(y, total, self.stride))


def expanded(y: Sum, total: mx.array | None, stride: Stride) -> mx.array:
    """y [B,F,H,W,C*t*h*w] and, repeated along its channels, the total, which has fewer: [B,F*t,H*h,W*w,C].

    y is a convolution's alone, onto nothing. Where time is doubled the first frame is left out.
    """
    drop = 1 if stride[0] == 2 else 0
    made = space.depth_to_space(y.product, y.bias, total, stride, drop)
    if made is not None:
        return made
    made = depth_to_space(y.value, stride)[:, drop:]
    if total is None:
        return made
    shortcut = depth_to_space(total, stride)[:, drop:]
    return mx.flatten(mx.unflatten(made, -1, (-1, shortcut.shape[-1])) + shortcut[..., None, :], -2)


class SpaceToDepthDownsample(nn.Module):
    """Space and time become channels, of a convolution and, averaged in groups, of the input itself."""

    def __init__(self, in_channels: int, out_channels: int, stride: Stride, style: Style) -> None:
        super().__init__()
        self.stride, self.out_channels = stride, out_channels
        self.conv = style.conv(in_channels, out_channels // prod(stride))

    def __call__(self, x: Sum) -> Sum:
        total = x.value
        if self.stride[0] == 2:
            total = mx.concatenate([total[:, :1], total], axis=1)
        groups = mx.unflatten(space_to_depth(total, self.stride), -1, (self.out_channels, -1))
        shortcut = groups.astype(mx.float32).mean(axis=-1).astype(total.dtype)
        return Sum(space_to_depth(self.conv(Sum(total)).value, self.stride) + shortcut)


def divided(channels: int, divisor: int, what: str) -> int:
    """`channels / divisor`, which has to be whole. Raises WeightsError."""
    if channels % divisor:
        raise WeightsError(f"{what}: {channels} channels cannot be divided by {divisor}")
    return channels // divisor
