"""The VAE's CUDA kernel against the plain operations that define it; where there is no CUDA, what it asks for."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.cuda_kernels import available
from ltxbench.model.vae import cuda_kernel
from ltxbench.model.vae.blocks import DepthToSpaceUpsample, ResStage, Style
from ltxbench.model.vae.convolution import CausalConv3d, Sum
from ltxbench.model.vae.normalization import PixelNorm

on_cuda = pytest.mark.skipif(not available(), reason="needs MLX on CUDA")


def draw(*shape: int) -> mx.array:
    values = np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)
    return mx.array(values).astype(mx.bfloat16)


def relative_error(out: mx.array, ref: mx.array) -> float:
    out, ref = out.astype(mx.float32), ref.astype(mx.float32)
    return float(np.linalg.norm(np.array(out - ref)) / np.linalg.norm(np.array(ref)))


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_kernel, "fits", lambda channels, dtype: False)


@on_cuda
@pytest.mark.parametrize("padding", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("channels", [8, 128, 256, 1024])
@pytest.mark.parametrize("parts", ["product", "bias", "residual", "both"])
@pytest.mark.parametrize("norm", [None, PixelNorm()])
def test_what_lies_between_two_convolutions_rounds_like_the_plain_operations(
    padding: str,
    causal: bool,
    channels: int,
    parts: str,
    norm: PixelNorm | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conv = CausalConv3d(channels, 8, padding=padding, causal=causal)
    conv.set_dtype(mx.bfloat16)
    x = Sum(
        draw(2, 3, 5, 4, channels),
        draw(channels) if parts in ("bias", "both") else None,
        draw(2, 3, 6, 4, channels)[:, :, 1:] if parts in ("residual", "both") else None,
    )
    kept, made = conv.beside(x, norm)
    alone = conv(x, norm)
    plain(monkeypatch)
    total, reference = conv.beside(x, norm)
    assert relative_error(kept, total) < 5e-3
    assert relative_error(made.product, reference.product) < 1e-2
    assert mx.array_equal(alone.product, made.product)


@on_cuda
@pytest.mark.parametrize("causal", [False, True])
def test_a_stage_and_an_upsampling_give_the_same_video(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    style = Style("pixel_norm", "reflect", causal)
    stage, upsampling = ResStage(128, 3, style), DepthToSpaceUpsample(128, (2, 2, 2), 2, residual=True, style=style)
    stage.set_dtype(mx.bfloat16)
    upsampling.set_dtype(mx.bfloat16)
    x = draw(1, 4, 6, 7, 128)
    fused = upsampling(stage(Sum(x))).value
    plain(monkeypatch)
    assert relative_error(fused, upsampling(stage(Sum(x))).value) < 2e-2


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [(128, mx.float32), (100, mx.bfloat16), (48, mx.bfloat16), (0, mx.bfloat16), (4096, mx.bfloat16)],
)
def test_cells_whose_channels_do_not_divide_among_lanes_are_left_to_the_plain_operations(
    channels: int, dtype: mx.Dtype
) -> None:
    assert not cuda_kernel.fits(channels, dtype)


@on_cuda
@pytest.mark.parametrize("channels", [128, 256, 512, 1024])
def test_the_widths_of_the_19b_fit(channels: int) -> None:
    assert cuda_kernel.fits(channels, mx.bfloat16)
