"""The CUDA kernels against the plain operations that define them; where there is no CUDA, what they ask for."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model import cuda_kernels
from ltxbench.model.adaln import Modulation
from ltxbench.model.attention import Attention
from ltxbench.model.positions import token_positions
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


@pytest.mark.parametrize(
    ("dim", "dtype"), [(4096, mx.float32), (4000, mx.bfloat16), (16384, mx.bfloat16), (128, mx.float16)]
)
def test_rows_that_are_no_whole_thread_block_are_left_to_the_plain_operations(dim: int, dtype: mx.Dtype) -> None:
    assert not cuda_kernels.fits(dim, dtype)


@on_cuda
def test_the_rows_of_the_19b_fit() -> None:
    assert cuda_kernels.fits(4096, mx.bfloat16)
    assert cuda_kernels.fits(3840, mx.bfloat16)
