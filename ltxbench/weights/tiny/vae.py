"""The video VAE. The decoder's kernels interpolate, so that a random latent decodes to moving colour, not to noise.

Random kernels on the 19B's up blocks (sub-pixel shuffle plus a shuffled residual) would print a lattice into every
frame. Here each sub-pixel phase is the linear interpolation at its place, mixed over channels at random; the centre
tap also cancels the shuffled residual.
"""

from __future__ import annotations

import math

import numpy as np

from ltxbench.weights.tiny.layers import Tensors, conv, under
from ltxbench.weights.tiny.numbers import F32, normal
from ltxbench.weights.tiny.sizes import Sizes

SMOOTH = np.array([0.2, 0.6, 0.2], np.float32)
EVENED = 0.85
"""Share of a tint common to a whole neighbourhood that the first convolution takes off."""
CONTRAST = 1.15
LUMINANCE = 0.6
"""Share of brightness that the three colours have in common."""
DETAIL = 1.5
"""Gain of the decoder's residual blocks, which add structure at their own scale."""


def statistics(sizes: Sizes, label: str) -> Tensors:
    """Keys without `vae.per_channel_statistics.`; the pipelines use the first two only."""
    channels = (sizes.latent_channels,)
    std = normal(f"{label}/std-of-means", channels, 0.1, 1.0)
    stds = normal(f"{label}/mean-of-stds", channels, 0.01, 0.1)
    return {
        "mean-of-means": normal(f"{label}/mean-of-means", channels, 0.1),
        "std-of-means": std,
        "mean-of-stds": stds,
        "mean-of-stds_over_std-of-means": stds / std,
        "channel": np.arange(sizes.latent_channels, dtype=np.float32),
    }


def decoder(sizes: Sizes, label: str) -> Tensors:
    """Keys without `vae.decoder.`; the block order is the built one: res, up, res, up, res, up, res."""
    channels = 8 * sizes.decoder_base
    tensors: Tensors = {
        "conv_in.conv.weight": _mixing(f"{label}/conv_in", channels, sizes.latent_channels)
        * (stencil(SMOOTH, SMOOTH, SMOOTH) - np.float32(EVENED / 27))
        * np.float32(4.0),
        "conv_in.conv.bias": normal(f"{label}/conv_in.bias", (channels,), 0.02),
    }
    for stage in range(4):
        block = f"up_blocks.{2 * stage}"
        for index in range(sizes.decoder_res_blocks):
            tensors |= _res_block(f"{label}/{block}", f"{block}.res_blocks.{index}", channels, DETAIL)
        if stage < 3:
            tensors |= under(f"up_blocks.{2 * stage + 1}.conv.conv.", _doubling(f"{label}/{block}.up", channels))
            channels //= 2
    return tensors | under("conv_out.conv.", _to_pixels(f"{label}/conv_out", channels, sizes.patch))


def encoder(sizes: Sizes, label: str) -> Tensors:
    """Keys without `vae.encoder.`. All stages are as wide as the latent: the multipliers in the configuration are 1."""
    channels, kernel = sizes.latent_channels, (3, 3, 3)
    tensors = conv(label, "conv_in.conv", channels, 3 * sizes.patch**2, kernel)
    for stage, stride in enumerate((4, 2, 8, 8, 1)):
        block = f"down_blocks.{2 * stage}"
        for index in range(sizes.encoder_res_blocks):
            tensors |= _res_block(f"{label}/{block}", f"{block}.res_blocks.{index}", channels, 1.0)
        if stride > 1:
            tensors |= conv(label, f"down_blocks.{2 * stage + 1}.conv.conv", channels // stride, channels, kernel)
    return tensors | conv(label, "conv_out.conv", channels + 1, channels, kernel)


def _res_block(label: str, name: str, channels: int, gain: float) -> Tensors:
    """Neighbouring input channels have opposite weights: the mean that SiLU leaves does not build up to a tint."""
    tensors = conv(label, f"{name}.conv1.conv", channels, channels, (3, 3, 3), gain=2.0)
    tensors |= conv(label, f"{name}.conv2.conv", channels, channels, (3, 3, 3), gain=2.0 * gain)
    for half in (1, 2):
        weight = tensors[f"{name}.conv{half}.conv.weight"]
        weight[:, 1::2] = -weight[:, 0::2]
    return tensors


def _mixing(label: str, outputs: int, inputs: int, gain: float = 1.0) -> F32:
    """[outputs,inputs,1,1,1]"""
    return normal(f"{label}.weight", (outputs, inputs, 1, 1, 1), gain / math.sqrt(inputs))


def stencil(time: F32, height: F32, width: F32) -> F32:
    """[3,3,3] product of three one-dimensional kernels."""
    product: F32 = time[:, None, None] * height[None, :, None] * width[None, None, :]
    return product


def phases(factor: int) -> list[F32]:
    """Linear interpolation at the centres of `factor` sub-pixels: weights of the left, own and right neighbour."""
    kernels = []
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5
        kernels.append(np.array([max(-offset, 0), 1 - abs(offset), max(offset, 0)], np.float32))
    return kernels


def _doubling(label: str, channels: int) -> Tensors:
    """Conv of an up block: `channels` -> 4 x `channels`, in the order (channel, time, height, width phase)."""
    outputs = channels // 2
    mixing = _mixing(label, outputs, channels, gain=1.5)
    weight = np.zeros((outputs, 2, 2, 2, channels, 3, 3, 3), np.float32)
    halves = phases(2)
    for t in range(2):
        for h in range(2):
            for w in range(2):
                weight[:, t, h, w] = mixing * stencil(halves[t], halves[h], halves[w])
                for output in range(outputs):
                    # What the residual brings to this place: the input's shuffled channels, repeated four times.
                    shuffled = (output % (channels // 8)) * 8 + 4 * t + 2 * h + w
                    weight[output, t, h, w, shuffled, 1, 1, 1] -= 1.0
    return {
        "weight": weight.reshape(4 * channels, channels, 3, 3, 3),
        "bias": np.repeat(normal(f"{label}.bias", (outputs,), 0.02), 8),
    }


def _to_pixels(label: str, channels: int, patch: int) -> Tensors:
    """Last conv: `channels` -> 3 x patch x patch, in the order (colour, x-offset, y-offset)."""
    mixing = colours(channels)[:, :, None, None, None]
    weight = np.zeros((3, patch, patch, channels, 3, 3, 3), np.float32)
    places, still = phases(patch), np.array([0, 1, 0], np.float32)
    for x in range(patch):
        for y in range(patch):
            weight[:, x, y] = mixing * stencil(still, places[y], places[x])
    return {
        "weight": weight.reshape(3 * patch * patch, channels, 3, 3, 3),
        "bias": np.repeat(normal(f"{label}.bias", (3,), 0.02), patch * patch),
    }


def colours(channels: int) -> F32:
    """[3,channels]: red, green and blue take each channel plus or minus, and sum to nothing.

    The signs are Walsh functions, so the colours vary independently around grey, but for a common brightness.
    """
    index = np.arange(channels)
    bits = [1.0 - 2.0 * ((index >> bit) & 1) for bit in range(3)]
    brightness = bits[0] * bits[1] * bits[2]
    rows = [(1 - LUMINANCE) * bit + LUMINANCE * brightness for bit in bits]
    colours: F32 = (np.stack(rows) * (CONTRAST / math.sqrt(channels))).astype(np.float32)
    return colours
