"""The decoder's rearranging kernels against the plain operations that define them."""

from __future__ import annotations

from math import prod

import mlx.core as mx
import pytest

from ltxbench.model.cuda import space
from ltxbench.model.vae.blocks import expanded
from ltxbench.model.vae.convolution import Sum
from ltxbench.model.vae.rearrange import unpatchify
from tests.model.cuda.device import Device

STRIDES = [(1, 2, 2), (2, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("channels", [8, 64, 256])
@pytest.mark.parametrize("repeats", [None, 1, 4])
@pytest.mark.parametrize("biased", [False, True])
def test_channels_become_space_and_time_as_by_the_plain_operations(
    stride: tuple[int, int, int], channels: int, repeats: int | None, biased: bool, device: Device
) -> None:
    wide = channels * prod(stride)
    y = Sum(device.draw(2, 3, 4, 5, wide), device.draw(wide) if biased else None)
    total = device.draw(2, 3, 4, 5, wide // repeats) if repeats else None
    made = expanded(y, total, stride)
    device.without_kernels()
    assert mx.array_equal(made, expanded(y, total, stride))


def test_the_kernel_is_what_upsamples(device: Device) -> None:
    product, total = device.draw(1, 2, 3, 3, 128), device.draw(1, 2, 3, 3, 64)
    assert space.depth_to_space(product, None, total, (2, 2, 2), 1) is not None
    device.without_kernels()
    assert space.depth_to_space(product, None, total, (2, 2, 2), 1) is None


@pytest.mark.parametrize(("channels", "others"), [(96, 0), (64, 12), (64, 128), (16384, 0)])
def test_cells_that_are_no_thread_block_are_left_to_the_plain_operations(
    channels: int, others: int, device: Device
) -> None:
    total = device.draw(1, 1, 2, 2, others) if others else None
    assert space.depth_to_space(device.draw(1, 1, 2, 2, channels), None, total, (2, 2, 2), 1) is None


@pytest.mark.parametrize(("channels", "patch"), [(3, 4), (3, 1), (1, 2), (5, 3)])
@pytest.mark.parametrize("biased", [False, True])
def test_channels_become_pixels_as_by_the_plain_operations(
    channels: int, patch: int, biased: bool, device: Device
) -> None:
    product = device.draw(2, 3, 5, 7, channels * patch**2)
    bias = device.draw(channels * patch**2) if biased else None
    made = space.unpatchify(product, bias, patch)
    assert made is not None
    assert mx.array_equal(made, unpatchify(Sum(product, bias).value, patch))


def test_without_cuda_the_plain_operations_do_it(device: Device) -> None:
    device.without_kernels()
    assert space.unpatchify(device.draw(1, 1, 2, 2, 48), None, 4) is None
