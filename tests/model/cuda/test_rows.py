"""The row kernels against the plain operations that define them."""

from __future__ import annotations

import math

import mlx.core as mx
import mlx.nn as nn
import pytest

from ltxbench.model.adaln import Modulation
from ltxbench.model.attention import Attention
from ltxbench.model.cuda import rows
from ltxbench.model.positions import token_positions
from ltxbench.model.quantized_linear import prefer_unpacking
from ltxbench.model.rope import Rope
from tests.model.cuda.device import Device, relative_error

DIM, TOKENS = 1024, 24


@pytest.mark.parametrize(("batch", "levels", "parting"), [(1, 1, False), (2, 2, False), (2, 1, False), (2, 1, True)])
@pytest.mark.parametrize("gate", [None, 2])
@pytest.mark.parametrize("modulation", [(None, None), (4, 3)])
def test_adding_and_norming_in_one_kernel_rounds_like_the_plain_operations(
    batch: int,
    levels: int,
    parting: bool,
    gate: int | None,
    modulation: tuple[int | None, int | None],
    device: Device,
) -> None:
    level = Modulation(device.draw(levels, 1, 6, DIM), 1e-6)
    x, update = device.draw(1 if parting else batch, TOKENS, DIM), device.draw(batch, TOKENS + 1, DIM)[:, 1:]
    fused = level.add_norm(x, update, gate=gate, scale=modulation[0], shift=modulation[1])
    device.without_kernels()
    plain = level.add_norm(x, update, gate=gate, scale=modulation[0], shift=modulation[1])
    for ours, reference in zip(fused, plain, strict=True):
        assert relative_error(ours, reference) < device.rounding


@pytest.mark.parametrize("dim", [256, DIM, 3840])
def test_a_norm_without_a_residual_is_one_kernel_too(dim: int, device: Device) -> None:
    level, x = Modulation(device.draw(2, 1, 6, dim), 1e-6), device.draw(2, TOKENS, dim)
    fused = level.norm(x, scale=1, shift=0)
    device.without_kernels()
    assert relative_error(fused, level.norm(x, scale=1, shift=0)) < device.rounding


@pytest.mark.parametrize("heads", [8, 16])
@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_norm_and_rotation_in_one_kernel_give_the_same_attention(
    heads: int, joined: bool, batch: int, device: Device
) -> None:
    head_dim = DIM // heads
    attention = Attention(DIM, heads, head_dim, eps=1e-6)
    attention.q_norm.weight, attention.k_norm.weight = 1 + device.draw(DIM), device.draw(DIM)
    attention.set_dtype(device.dtype)
    rotation = Rope(heads, head_dim, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = device.draw(batch, TOKENS, DIM)
    if joined:
        attention.join()
    fused = attention(x, rotation)
    device.without_kernels()
    assert relative_error(fused, attention(x, rotation)) < 3 * device.rounding


@pytest.mark.parametrize("tokens", [(1, 1, 1), (2, 3, 4)])
def test_queries_and_keys_in_one_array_are_normed_and_rotated_like_two(
    tokens: tuple[int, int, int], device: Device
) -> None:
    rotation = Rope(8, DIM // 8, (20, 2048, 2048)).rotation(token_positions(tokens, 24))
    qkv = device.draw(2, math.prod(tokens), 3 * DIM)
    q, k, _ = mx.split(qkv, 3, axis=-1)
    weights, turned = (device.draw(DIM), device.draw(1, DIM)[0]), (rotation.cos, rotation.sin, DIM // 8, 1e-6)
    one = rows.norm_rotate(qkv, None, *weights, *turned)
    two = rows.norm_rotate(q, k, *weights, *turned)
    assert all(mx.array_equal(ours, reference) for ours, reference in zip(one, two, strict=True))
    plain = [rotation(mx.fast.rms_norm(x, weight, 1e-6)) for x, weight in zip((q, k), weights, strict=True)]
    assert all(
        relative_error(ours, reference) < 2 * device.rounding for ours, reference in zip(one, plain, strict=True)
    )


@pytest.mark.parametrize("bits", [None, 8, 4])
@pytest.mark.parametrize("batch", [1, 2])
def test_self_attention_by_one_product_is_that_by_three(bits: int | None, batch: int, device: Device) -> None:
    attention = Attention(DIM, 8, DIM // 8, eps=1e-6)
    attention.set_dtype(device.dtype)
    if bits is not None:
        nn.quantize(attention, 64, bits)
        prefer_unpacking(attention)
    rotation = Rope(8, DIM // 8, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = device.draw(batch, TOKENS, DIM)
    mx.eval(apart := attention(x, rotation))
    attention.join()
    assert relative_error(attention(x, rotation), apart) < 2 * device.rounding


@pytest.mark.parametrize(
    ("dim", "dtype"), [(4096, mx.float32), (4000, mx.bfloat16), (16384, mx.bfloat16), (128, mx.float16)]
)
def test_rows_that_are_no_whole_thread_block_are_left_to_the_plain_operations(
    dim: int, dtype: mx.Dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "available", lambda: True)
    assert not rows.fits(dim, dtype)


def test_the_rows_of_the_19b_fit_where_there_is_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        monkeypatch.setattr(rows, "available", lambda there=there: there)
        assert rows.fits(4096, mx.bfloat16) is there
        assert rows.fits(3840, mx.bfloat16) is there
