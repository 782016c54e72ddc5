"""The VAE's kernel against the plain operations that define it."""

from __future__ import annotations

import mlx.core as mx
import pytest

from ltxbench.model.cuda import cells
from ltxbench.model.vae.blocks import DepthToSpaceUpsample, ResStage, Style
from ltxbench.model.vae.convolution import CausalConv3d, Sum
from ltxbench.model.vae.normalization import PixelNorm
from tests.model.cuda.device import Device, relative_error


@pytest.mark.parametrize("padding", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("channels", [8, 128, 256, 1024])
@pytest.mark.parametrize("parts", ["product", "bias", "residual", "both"])
@pytest.mark.parametrize("norm", [None, PixelNorm()])
def test_what_lies_between_two_convolutions_rounds_like_the_plain_operations(
    padding: str, causal: bool, channels: int, parts: str, norm: PixelNorm | None, device: Device
) -> None:
    conv = CausalConv3d(channels, 8, padding=padding, causal=causal)
    conv.set_dtype(device.dtype)
    x = Sum(
        device.draw(2, 3, 5, 4, channels),
        device.draw(channels) if parts in ("bias", "both") else None,
        device.draw(2, 3, 6, 4, channels)[:, :, 1:] if parts in ("residual", "both") else None,
    )
    kept, made = conv.beside(x, norm)
    alone = conv(x, norm)
    device.without_kernels()
    total, reference = conv.beside(x, norm)
    assert relative_error(kept, total) < device.rounding
    assert relative_error(made.product, reference.product) < 2 * device.rounding
    assert mx.array_equal(alone.product, made.product)


@pytest.mark.parametrize("causal", [False, True])
def test_a_stage_and_an_upsampling_give_the_same_video(causal: bool, device: Device) -> None:
    style = Style("pixel_norm", "reflect", causal)
    stage, upsampling = ResStage(128, 3, style), DepthToSpaceUpsample(128, (2, 2, 2), 2, residual=True, style=style)
    stage.set_dtype(device.dtype)
    upsampling.set_dtype(device.dtype)
    x = device.draw(1, 4, 6, 7, 128)
    fused = upsampling(stage(Sum(x))).value
    device.without_kernels()
    assert relative_error(fused, upsampling(stage(Sum(x))).value) < 5 * device.rounding


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [(128, mx.float32), (100, mx.bfloat16), (48, mx.bfloat16), (0, mx.bfloat16), (2048, mx.bfloat16)],
)
def test_cells_whose_channels_do_not_divide_among_lanes_are_left_to_the_plain_operations(
    channels: int, dtype: mx.Dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "available", lambda: True)
    assert not cells.fits(channels, dtype)


@pytest.mark.parametrize("channels", [128, 256, 512, 1024])
def test_the_widths_of_the_19b_fit_where_there_is_cuda(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        monkeypatch.setattr(cells, "available", lambda there=there: there)
        assert cells.fits(channels, mx.bfloat16) is there
