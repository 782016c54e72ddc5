from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.vae import PerChannelStatistics, VideoDecoder, to_uint8
from ltxbench.model.vae.blocks import DepthToSpaceUpsample, ResBlock, Style
from ltxbench.model.vae.config import DecoderConfig
from ltxbench.model.vae.convolution import Sum, pad
from ltxbench.model.vae.decoder import Decoder
from ltxbench.model.vae.normalization import PixelNorm
from ltxbench.model.vae.rearrange import patchify, unpatchify
from tests.model.seeded import Stored, noise, save_checkpoint, weights

SMALL: dict[str, Any] = {
    "latent_channels": 4,
    "decoder_base_channels": 1,
    "timestep_conditioning": False,
    "decoder_blocks": [["res_x", 1], ["compress_all", {}], ["compress_all", {"multiplier": 2}], ["compress_all", {}]],
    "decoder_spatial_padding_mode": "zeros",
}


def config(**fields: object) -> DecoderConfig:
    return DecoderConfig.from_json({**SMALL, **fields}, source="file")


def network(**fields: object) -> VideoDecoder:
    made = config(**fields)
    return VideoDecoder(made, Decoder(made), PerChannelStatistics(made.latent_channels))


def shapes(decoder: VideoDecoder) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of an official file for this decoder."""
    half = {
        f"vae.decoder.{name}": array.shape if array.ndim < 5 else (array.shape[0], array.shape[4], *array.shape[1:4])
        for name, array in named_parameters(decoder.network).items()
    }
    channels = (decoder.config.latent_channels,)
    names = ("mean-of-means", "std-of-means", "mean-of-stds", "mean-of-stds_over_std-of-means", "channel")
    return half | {f"vae.per_channel_statistics.{name}": channels for name in names}


def saved(path: Path, **fields: object) -> dict[str, np.ndarray]:
    tensors = weights(shapes(network()), seed=3)
    save_checkpoint(path, tensors, {"vae": {**SMALL, **fields}})
    return tensors


@pytest.mark.parametrize("name", ["19b", "23"])
def test_decoding_equals_the_stored_official_output(name: str, tmp_path: Path) -> None:
    stored = Stored.read(f"vae_decoder_{name}.safetensors")
    path = stored.checkpoint(tmp_path / "vae.safetensors")
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)
    video = decoder.decode(mx.array(noise(*stored.inputs["latent"])))
    assert video.shape == (1, 3, 9, 64, 96)
    assert stored.error("decoded", video) < 1e-5


@pytest.mark.parametrize("latent_frames", range(1, 17))
def test_each_latent_frame_but_the_first_becomes_eight(latent_frames: int) -> None:
    video = network().decode(mx.zeros((1, 4, latent_frames, 1, 2)))
    assert video.shape == (1, 3, 8 * (latent_frames - 1) + 1, 32, 64)


def test_the_first_frame_made_by_doubling_time_is_dropped() -> None:
    style = Style("pixel_norm", "zeros", causal=False)
    block = DepthToSpaceUpsample(2, (2, 1, 1), 1, residual=False, style=style)
    x = mx.array(noise(1, 3, 2, 2, 2))
    doubled = block.conv(Sum(x)).value  # channels (c, t)
    out = block(Sum(x)).value
    assert out.shape == (1, 5, 2, 2, 2)
    assert mx.array_equal(out[:, 0], doubled[:, 0, ..., 1::2])
    assert mx.array_equal(out[:, 1], doubled[:, 1, ..., 0::2])
    assert mx.array_equal(out[:, 4], doubled[:, 2, ..., 1::2])


def test_the_residual_repeats_as_a_whole_and_not_channel_by_channel() -> None:
    block = DepthToSpaceUpsample(16, (2, 2, 2), 2, residual=True, style=Style("pixel_norm", "zeros", causal=False))
    block.conv.conv.weight = mx.zeros_like(block.conv.conv.weight)
    block.conv.conv.bias = mx.zeros_like(block.conv.conv.bias)
    x = mx.arange(16, dtype=mx.float32).reshape(1, 1, 1, 1, 16)
    out = block(Sum(x)).value  # channel = (c, t, h, w); the frame t = 0 is dropped
    assert out.shape == (1, 1, 2, 2, 8)
    assert out[0, 0, 0, 0].tolist() == [4, 12] * 4
    assert out[0, 0, 1, 0].tolist() == [6, 14] * 4


def test_pixels_are_stored_as_channel_then_column_then_row() -> None:
    x = mx.arange(3 * 4 * 4, dtype=mx.float32).reshape(1, 1, 1, 1, 48)
    pixels = unpatchify(x, 4)
    assert pixels.shape == (1, 1, 4, 4, 3)
    for channel, row, column in ((0, 0, 0), (0, 2, 1), (1, 3, 0), (2, 1, 3)):
        assert pixels[0, 0, row, column, channel].item() == channel * 16 + column * 4 + row
    assert mx.array_equal(patchify(pixels, 4), x)


def test_blocks_are_stored_in_encoder_order_and_run_reversed() -> None:
    stored = [["res_x", {"num_layers": 3}], ["compress_space", {"multiplier": 2}], ["res_x", {"num_layers": 1}]]
    decoder = Decoder(config(decoder_blocks=stored))
    assert [len(decoder.up_blocks[index].res_blocks) for index in (0, 2)] == [1, 3]
    assert decoder.up_blocks[2].res_blocks[0].conv1.conv.weight.shape == (4, 3, 3, 3, 4)


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"), ("zeros", None)]
)
@pytest.mark.parametrize("repeats", [(1, 1), (2, 0)])
def test_padding_repeats_frames_in_time_and_follows_the_mode_in_space(
    mode: str, numpy_mode: str | None, repeats: tuple[int, int]
) -> None:
    x = noise(2, 3, 2, 4, 5)
    expected = np.pad(x, ((0, 0), repeats, (0, 0), (0, 0), (0, 0)), mode="edge")
    if numpy_mode:
        expected = np.pad(expected, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), mode=numpy_mode)
    assert np.array_equal(np.asarray(pad(mx.array(x), repeats, mode)), expected)


def test_pixel_norm_divides_by_the_root_mean_square_of_the_channels() -> None:
    x = noise(1, 1, 2, 2, 7) * 1e-4  # so small that the epsilon counts
    expected = x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(np.asarray(PixelNorm()(mx.array(x))), expected, rtol=1e-5)


def test_a_block_that_changes_the_width_has_a_shortcut() -> None:
    style = Style("pixel_norm", "zeros", causal=False)
    assert {"norm3", "conv_shortcut"} <= ResBlock(4, 2, style).keys()
    assert not {"norm3", "conv_shortcut"} & ResBlock(4, 4, style).keys()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "reflect"),
        ({"spatial_padding_mode": "zeros"}, "zeros"),
        ({"spatial_padding_mode": "zeros", "decoder_spatial_padding_mode": "replicate"}, "replicate"),
    ],
)
def test_the_padding_mode_is_read_under_both_its_names(fields: dict[str, str], expected: str) -> None:
    assert DecoderConfig.from_json(fields, source="file").padding == expected


def test_an_empty_configuration_means_the_19b_decoder() -> None:
    made = DecoderConfig.from_json({}, source="file")
    assert (made.channels, made.latent_channels, made.scale) == (1024, 128, (8, 32, 32))
    assert [(block.name, block.layers, block.multiplier, block.residual) for block in made.blocks] == [
        ("res_x", 5, 1, False),
        *[("compress_all", 1, 2, True), ("res_x", 5, 1, False)] * 3,
    ]


def test_without_a_base_width_the_file_says_how_wide_the_first_stage_is(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    fields = {key: value for key, value in SMALL.items() if key != "decoder_base_channels"}
    save_checkpoint(path, weights(shapes(network(decoder_base_channels=2)), seed=3), {"vae": fields})
    assert VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32).config.channels == 16


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"timestep_conditioning": True}, "vae.timestep_conditioning true is not supported"),
        ({"dims": 2}, "vae.dims is 2; only 3 is supported"),
        ({"dims": [2, 1]}, r"vae.dims is \[2, 1\]"),
        ({"norm_layer": "batch_norm"}, "vae.norm_layer is 'batch_norm'; supported: pixel_norm, group_norm"),
        ({"latent_channels": "128"}, "vae.latent_channels is '128'; expected a positive whole number"),
        ({"causal_decoder": 1}, "vae.causal_decoder is 1; expected true or false"),
        ({"decoder_spatial_padding_mode": "mirror"}, "vae.decoder_spatial_padding_mode is 'mirror'; supported: zeros"),
        ({"decoder_blocks": [["res_x", 1], ["attn_res_x", {}]]}, r"vae.decoder_blocks\[1\] is 'attn_res_x'; supported"),
        ({"decoder_blocks": [["res_x", {"num_layers": 1, "inject_noise": True}]]}, r"decoder_blocks\[0\].inject_noise"),
        ({"decoder_blocks": [["res_x", {}]]}, "num_layers is missing"),
        ({"decoder_blocks": [["res_x", {"num_layers": 0}]]}, r"decoder_blocks\[0\].num_layers is 0"),
        ({"decoder_blocks": ["res_x"]}, r"decoder_blocks\[0\] is 'res_x'; expected \[name, options\]"),
        ({"decoder_blocks": "res_x"}, "vae.decoder_blocks is 'res_x'; expected a list"),
    ],
)
def test_a_configuration_that_is_not_supported_is_refused_by_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        config(**fields)


def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "vae.safetensors", weights(shapes(network()), seed=3), {"vae": [1]})
    with pytest.raises(WeightsError, match=r"vae is \[1\]; expected an object"):
        VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)


@pytest.mark.parametrize(
    "block", [["compress_all", {"multiplier": 3}], ["compress_all", {"multiplier": 16, "residual": True}]]
)
def test_channels_that_cannot_be_divided_are_refused(block: list[Any]) -> None:
    with pytest.raises(WeightsError, match="8 channels cannot be divided"):
        Decoder(config(decoder_blocks=[block]))


def test_statistics_that_decoding_does_not_use_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    tensors = saved(path)
    statistics = VideoDecoder.from_checkpoint(Checkpoint(path), mx.bfloat16).statistics
    assert statistics["mean-of-means"].dtype == mx.float32
    np.testing.assert_array_equal(statistics["std-of-means"], tensors["vae.per_channel_statistics.std-of-means"])


@pytest.mark.parametrize(
    "change",
    [
        {"vae.decoder.conv_in.conv.bias": None},
        {"vae.per_channel_statistics.std-of-means": None},
        {"vae.decoder.up_blocks.9.conv.weight": np.zeros(3, np.float32)},
        {"vae.per_channel_statistics.median": np.zeros(4, np.float32)},
        {"vae.decoder.conv_out.conv.weight": np.zeros((48, 3, 4, 3, 3), np.float32)},
        {"vae.decoder.conv_out.conv.weight": np.zeros((48, 4, 27), np.float32)},
        {"vae.decoder.conv_out.conv.bias": np.zeros(48, np.int32)},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_tensor_that_is_missing_unknown_or_wrong_is_named(
    change: dict[str, np.ndarray | None], tmp_path: Path
) -> None:
    path = tmp_path / "vae.safetensors"
    tensors = {name: value for name, value in (saved(path) | change).items() if value is not None}
    save_checkpoint(path, tensors, {"vae": SMALL})
    (name,) = change
    with pytest.raises(WeightsError, match=name.removeprefix("vae.").split(".", 1)[1]):
        VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)


def test_the_encoders_tensors_are_no_concern_of_the_decoder(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    save_checkpoint(path, saved(path) | {"vae.encoder.conv_in.conv.bias": np.zeros(4, np.float32)}, {"vae": SMALL})
    VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)


def test_reflection_needs_two_latent_rows() -> None:
    with pytest.raises(UsageError, match="reflect padding needs two"):
        network(decoder_spatial_padding_mode="reflect").decode(mx.zeros((1, 4, 1, 1, 2)))


def test_a_latent_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(1, 5, 1, 2, 2\), expected \[B,4,F,H,W\]"):
        network().decode(mx.zeros((1, 5, 1, 2, 2)))


def test_in_bfloat16_the_weights_and_the_video_are_bfloat16(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    saved(path)
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.bfloat16)
    assert {array.dtype for array in named_parameters(decoder.network).values()} == {mx.bfloat16}
    assert decoder.decode(mx.zeros((1, 4, 1, 1, 2))).dtype == mx.bfloat16


def test_pixels_are_rounded_down_as_the_official_export_does() -> None:
    values = np.array([-7, -1, -1 + 2.01 / 255, -1 + 1.99 / 255, 0, 1 - 1e-4, 1, 7], np.float32)
    frames = to_uint8(mx.array(np.broadcast_to(values, (3, 1, 1, 8))))
    assert frames.shape == (1, 1, 8, 3)
    assert frames.dtype == np.uint8
    assert frames[0, 0, :, 1].tolist() == [0, 0, 1, 0, 127, 254, 255, 255]
