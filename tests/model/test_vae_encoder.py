from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.vae import PerChannelStatistics, VideoEncoder
from ltxbench.model.vae.blocks import SpaceToDepthDownsample, Style
from ltxbench.model.vae.config import EncoderConfig
from ltxbench.model.vae.convolution import Sum
from ltxbench.model.vae.encoder import Encoder
from ltxbench.model.vae.rearrange import depth_to_space, space_to_depth
from tests.model.seeded import Stored, noise

SMALL: dict[str, Any] = {
    "latent_channels": 8,
    "encoder_blocks": [
        ["compress_space_res", {"multiplier": 2}],
        ["compress_time_res", {"multiplier": 1}],
        ["compress_all_res", {"multiplier": 1}],
        ["compress_all_res", {"multiplier": 1}],
    ],
}


def encoder(**fields: object) -> VideoEncoder:
    config = EncoderConfig.from_json({**SMALL, **fields}, source="file")
    return VideoEncoder(config, Encoder(config), PerChannelStatistics(config.latent_channels))


@pytest.mark.parametrize("name", ["19b", "23"])
def test_encoding_equals_the_stored_official_output(name: str, tmp_path: Path) -> None:
    stored = Stored.read(f"vae_encoder_{name}.safetensors")
    path = stored.checkpoint(tmp_path / "vae.safetensors")
    latent = VideoEncoder.from_checkpoint(Checkpoint(path), mx.float32).encode(mx.array(noise(*stored.inputs["video"])))
    assert latent.shape == (1, 8, 2, 2, 3)
    assert stored.error("encoded", latent) < 1e-5


@pytest.mark.parametrize(("frames", "latent_frames"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_frames_beyond_a_whole_latent_frame_are_left_out(frames: int, latent_frames: int) -> None:
    made = encoder()
    video = mx.array(noise(1, 3, frames, 32, 32))
    latent = made.encode(video)
    assert latent.shape == (1, 8, latent_frames, 1, 1)
    assert mx.array_equal(latent, made.encode(video[:, :, : 8 * (latent_frames - 1) + 1]))


def test_encoding_is_causal() -> None:
    made = encoder()
    video = mx.array(noise(1, 3, 9, 32, 32))
    changed = mx.concatenate([video[:, :, :1], 2 * video[:, :, 1:]], axis=2)
    before, after = made.encode(video), made.encode(changed)
    assert mx.array_equal(before[:, :, 0], after[:, :, 0])
    assert not mx.array_equal(before[:, :, 1], after[:, :, 1])


def test_the_input_is_averaged_over_groups_of_neighbouring_channels() -> None:
    block = SpaceToDepthDownsample(2, 4, (1, 2, 2), Style("pixel_norm", "zeros", causal=True))
    block.conv.conv.weight = mx.zeros_like(block.conv.conv.weight)
    block.conv.conv.bias = mx.zeros_like(block.conv.conv.bias)
    x = mx.array([[[[[0, 10], [1, 11]], [[2, 12], [3, 13]]]]], dtype=mx.float32)
    assert block(Sum(x)).value.tolist() == [[[[[0.5, 2.5, 10.5, 12.5]]]]]


def test_space_to_depth_undoes_depth_to_space() -> None:
    x = mx.array(noise(2, 3, 2, 5, 24))
    assert mx.array_equal(space_to_depth(depth_to_space(x, (2, 2, 1)), (2, 2, 1)), x)


@pytest.mark.parametrize(("log_variance", "channels"), [("uniform", 9), ("constant", 9), ("per_channel", 16)])
def test_log_variances_are_made_but_left_out(log_variance: str, channels: int) -> None:
    made = encoder(latent_log_var=log_variance)
    assert made.network.conv_out.conv.bias.shape == (channels,)
    assert made.encode(mx.zeros((1, 3, 1, 32, 32))).shape == (1, 8, 1, 1, 1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "zeros"),
        ({"spatial_padding_mode": "reflect"}, "reflect"),
        ({"spatial_padding_mode": "reflect", "encoder_spatial_padding_mode": "zeros"}, "zeros"),
        ({"decoder_spatial_padding_mode": "reflect"}, "zeros"),
    ],
)
def test_the_padding_mode_is_read_under_both_its_names(fields: dict[str, str], expected: str) -> None:
    assert EncoderConfig.from_json(fields, source="file").padding == expected


def test_an_empty_configuration_means_the_19b_encoder() -> None:
    config = EncoderConfig.from_json({}, source="file")
    assert (config.head_channels, config.scale) == (129, (8, 32, 32))
    assert [block.layers for block in config.blocks if block.name == "res_x"] == [4, 6, 6, 2, 2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent_log_var": "none"}, "vae.latent_log_var is 'none'; supported: per_channel, uniform, constant"),
        ({"encoder_blocks": [["compress", {}]]}, r"vae.encoder_blocks\[0\] is 'compress'; supported"),
        ({"encoder_blocks": [["compress_all_res", {"multiplier": 3}]]}, "64 channels cannot be divided by 24"),
    ],
)
def test_a_configuration_that_is_not_supported_is_refused_by_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        encoder(**fields)


def test_statistics_are_undone_by_their_inverse() -> None:
    statistics = PerChannelStatistics(3)
    statistics["mean-of-means"], statistics["std-of-means"] = mx.array([1.0, 2, 3]), mx.array([0.5, 2, 4])
    latent = mx.ones((1, 3, 1, 1, 1))
    assert statistics.un_normalize(latent).flatten().tolist() == [1.5, 4, 7]
    np.testing.assert_allclose(statistics.normalize(statistics.un_normalize(latent)), latent)


def test_a_size_that_leaves_a_rest_is_refused() -> None:
    with pytest.raises(UsageError, match="40x32 cannot be encoded"):
        encoder().encode(mx.zeros((1, 3, 1, 32, 40)))


@pytest.mark.parametrize(("frames", "kept"), [(1, 1), (5, 1), (9, 9), (15, 9)])
def test_frames_are_counted_in_eights_whatever_the_blocks_compress(frames: int, kept: int) -> None:
    made = encoder(encoder_blocks=[["compress_time_res", {"multiplier": 1}]])
    video = mx.array(noise(1, 3, frames, 8, 8))
    latent = made.encode(video)
    assert latent.shape == (1, 8, (kept + 1) // 2, 2, 2)
    assert mx.array_equal(latent, made.encode(video[:, :, :kept]))


def test_strided_convolutions_take_a_size_that_leaves_a_rest() -> None:
    made = encoder(encoder_blocks=[["compress_space", {}], ["compress_all", {}]])
    assert made.encode(mx.array(noise(1, 3, 9, 20, 36))).shape == (1, 8, 5, 2, 3)
