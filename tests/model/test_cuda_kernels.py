"""The CUDA kernels against the plain operations that define them; where there is no CUDA, what they ask for."""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ltxbench.model import cuda_kernels
from ltxbench.model.adaln import Modulation
from ltxbench.model.attention import Attention
from ltxbench.model.positions import token_positions
from ltxbench.model.quantized_linear import prefer_unpacking
from ltxbench.model.rope import Rope

on_cuda = pytest.mark.skipif(not cuda_kernels.available(), reason="needs MLX on CUDA")
DIM, TOKENS = 1024, 24


def draw(*shape: int, dtype: mx.Dtype = mx.bfloat16) -> mx.array:
    return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)).astype(dtype)


def relative_error(out: mx.array, ref: mx.array) -> float:
    out, ref = out.astype(mx.float32), ref.astype(mx.float32)
    return float(np.linalg.norm(np.array(out - ref)) / np.linalg.norm(np.array(ref)))


@on_cuda
@pytest.mark.parametrize(("batch", "levels", "parting"), [(1, 1, False), (2, 2, False), (2, 1, False), (2, 1, True)])
@pytest.mark.parametrize("gate", [None, 2])
@pytest.mark.parametrize("rows", [(None, None), (4, 3)])
def test_adding_and_norming_in_one_kernel_rounds_like_the_plain_operations(
    batch: int,
    levels: int,
    parting: bool,
    gate: int | None,
    rows: tuple[int | None, int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level = Modulation(draw(levels, 1, 6, DIM), 1e-6)
    x, update = draw(1 if parting else batch, TOKENS, DIM), draw(batch, TOKENS + 1, DIM)[:, 1:]
    fused = level.add_norm(x, update, gate=gate, scale=rows[0], shift=rows[1])
    monkeypatch.setattr(cuda_kernels, "fits", lambda dim, dtype: False)
    plain = level.add_norm(x, update, gate=gate, scale=rows[0], shift=rows[1])
    for ours, reference in zip(fused, plain, strict=True):
        assert relative_error(ours, reference) < 5e-3


@on_cuda
def test_a_norm_without_a_residual_is_one_kernel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    level, x = Modulation(draw(2, 1, 6, DIM), 1e-6), draw(2, TOKENS, DIM)
    fused = level.norm(x, scale=1, shift=0)
    monkeypatch.setattr(cuda_kernels, "fits", lambda dim, dtype: False)
    assert relative_error(fused, level.norm(x, scale=1, shift=0)) < 5e-3


@on_cuda
@pytest.mark.parametrize("heads", [8, 16])
def test_norm_and_rotation_in_one_kernel_give_the_same_attention(heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    head_dim = DIM // heads
    attention = Attention(DIM, heads, head_dim, eps=1e-6)
    attention.set_dtype(mx.bfloat16)
    rotation = Rope(heads, head_dim, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = draw(2, TOKENS, DIM)
    fused = attention(x, rotation)
    monkeypatch.setattr(cuda_kernels, "fits", lambda dim, dtype: False)
    assert relative_error(fused, attention(x, rotation)) < 1e-2


@on_cuda
@pytest.mark.parametrize("tokens", [(1, 1, 1), (2, 3, 4)])
def test_queries_and_keys_in_one_array_are_normed_and_rotated_like_two(tokens: tuple[int, int, int]) -> None:
    rotation = Rope(8, DIM // 8, (20, 2048, 2048)).rotation(token_positions(tokens, 24))
    qkv = draw(2, math.prod(tokens), 3 * DIM)
    q, k, _ = mx.split(qkv, 3, axis=-1)
    weights, turned = (draw(DIM), draw(1, DIM)[0]), (rotation.cos, rotation.sin, DIM // 8, 1e-6)
    one = cuda_kernels.norm_rotate(qkv, None, *weights, *turned)
    two = cuda_kernels.norm_rotate(q, k, *weights, *turned)
    assert all(mx.array_equal(ours, reference) for ours, reference in zip(one, two, strict=True))
    plain = [rotation(mx.fast.rms_norm(x, weight, 1e-6)) for x, weight in zip((q, k), weights, strict=True)]
    assert all(relative_error(ours, reference) < 1e-2 for ours, reference in zip(one, plain, strict=True))


@on_cuda
@pytest.mark.parametrize("bits", [None, 8, 4])
@pytest.mark.parametrize("batch", [1, 2])
def test_self_attention_by_one_product_is_that_by_three(bits: int | None, batch: int) -> None:
    attention = Attention(DIM, 8, DIM // 8, eps=1e-6)
    attention.set_dtype(mx.bfloat16)
    if bits is not None:
        nn.quantize(attention, 64, bits)
        prefer_unpacking(attention)
    rotation = Rope(8, DIM // 8, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = draw(batch, TOKENS, DIM)
    mx.eval(apart := attention(x, rotation))
    attention.join()
    assert relative_error(attention(x, rotation), apart) < 1e-2


class Emulated:
    """What the kernel for norm and rotation does with the arrays and constants that it is given, in NumPy."""

    def __init__(self, *kernel: object) -> None:
        assert kernel[0] == "norm_rotate"

    def __call__(
        self,
        *,
        inputs: list[mx.array],
        template: list[tuple[str, Any]],
        output_shapes: list[tuple[int, ...]],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        **_: object,
    ) -> list[mx.array]:
        given = dict(template)
        dim, head, row, k_at = (given[name] for name in ("D", "HEAD", "ROW", "K_AT"))
        q, k, q_weight, k_weight, cos, sin, tokens = (np.array(array).reshape(-1) for array in inputs)
        rows = grid[0] // threadgroup[0]
        cos, sin = (
            np.concatenate([table.reshape(int(tokens[0]), -1, 1, head // 2)] * (rows // int(tokens[0])))
            for table in (cos, sin)
        )
        made = []
        for source, at, weight, shape in zip((q, k), (0, k_at), (q_weight, k_weight), output_shapes, strict=True):
            values = np.stack([source[row * number + at :][:dim] for number in range(rows)])
            normed = values / np.sqrt((values**2).mean(-1, keepdims=True) + 1e-6) * weight
            halves = normed.reshape(rows, dim // head, 2, head // 2)
            turned = halves * cos + halves[:, :, ::-1] * np.array([[-1], [1]]) * sin
            made.append(mx.array(turned.reshape(shape).astype(np.float32)))
        return made


@pytest.mark.parametrize("joined", [False, True])
def test_the_kernel_is_told_where_queries_and_keys_are(joined: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    attention = Attention(256, 4, 64, eps=1e-6)
    attention.q_norm.weight, attention.k_norm.weight = 1 + draw(256, dtype=mx.float32), draw(256, dtype=mx.float32)
    rotation = Rope(4, 64, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = draw(2, TOKENS, 256, dtype=mx.float32)
    plain = attention(x, rotation)
    if joined:
        attention.join()
    emulated: list[Emulated] = []
    monkeypatch.setattr(cuda_kernels, "fits", lambda dim, dtype: True)
    monkeypatch.setattr(cuda_kernels, "kernel", lambda *kernel: emulated.append(Emulated(*kernel)) or emulated[-1])
    assert relative_error(attention(x, rotation), plain) < 1e-5
    assert len(emulated) == 1


@pytest.mark.parametrize(
    ("dim", "dtype"), [(4096, mx.float32), (4000, mx.bfloat16), (16384, mx.bfloat16), (128, mx.float16)]
)
def test_rows_that_are_no_whole_thread_block_are_left_to_the_plain_operations(dim: int, dtype: mx.Dtype) -> None:
    assert not cuda_kernels.fits(dim, dtype)


@on_cuda
def test_the_rows_of_the_19b_fit() -> None:
    assert cuda_kernels.fits(4096, mx.bfloat16)
    assert cuda_kernels.fits(3840, mx.bfloat16)
