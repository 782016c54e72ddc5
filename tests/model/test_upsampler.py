from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.upsampler import BlurDownsample, LatentUpsampler, Upsampler, UpsamplerConfig, match_statistics
from ltxbench.model.vae import PerChannelStatistics
from tests.model.seeded import Stored, noise, save_checkpoint, weights

SMALL = {"in_channels": 4, "mid_channels": 32, "num_blocks_per_stage": 1}


def upsampler(**fields: Any) -> LatentUpsampler:
    config = UpsamplerConfig.from_json({**SMALL, **fields}, source="file")
    return LatentUpsampler(config, Upsampler(config))


@pytest.mark.parametrize("name", ["rational", "plain"])
def test_upsampling_equals_the_stored_official_output(name: str, tmp_path: Path) -> None:
    stored = Stored.read(f"upsampler_{name}.safetensors")
    made = LatentUpsampler.from_checkpoint(Checkpoint(stored.checkpoint(tmp_path / "up.safetensors")), mx.float32)
    statistics = PerChannelStatistics(8)
    statistics.update({key: mx.array(stored.outputs[key]) for key in ("mean-of-means", "std-of-means")})
    latent = made.upsample(mx.array(noise(*stored.inputs["latent"])), statistics)
    assert latent.shape == (1, 8, 3, 6, 10)
    assert stored.error("upsampled", latent) < 1e-5


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (3, 8, 10)),
        ({"rational_resampler": True}, (3, 8, 10)),
        ({"rational_resampler": True, "spatial_scale": 1.5}, (3, 6, 8)),
        ({"rational_resampler": True, "spatial_scale": 4}, (3, 16, 20)),
        ({"temporal_upsample": True}, (5, 8, 10)),
        ({"temporal_upsample": True, "spatial_upsample": False}, (5, 4, 5)),
    ],
)
def test_the_size_follows_the_configuration(fields: dict[str, Any], size: tuple[int, ...]) -> None:
    latent = upsampler(**fields).upsample(mx.zeros((1, 4, 3, 4, 5)), PerChannelStatistics(4))
    assert latent.shape == (1, 4, *size)


def test_a_blur_of_stride_one_changes_nothing() -> None:
    x = mx.array(noise(1, 3, 3, 2))
    assert BlurDownsample(1)(x) is x


def test_the_network_sees_raw_latents_and_normalised_ones_come_back() -> None:
    made = upsampler()
    statistics = PerChannelStatistics(4)
    statistics["mean-of-means"], statistics["std-of-means"] = mx.array([1.0, 2, 3, 4]), mx.array([2.0, 3, 4, 5])
    latent = mx.array(noise(1, 4, 2, 3, 3))
    raw = made.upsample(statistics.un_normalize(latent), PerChannelStatistics(4))
    np.testing.assert_allclose(made.upsample(latent, statistics), statistics.normalize(raw), rtol=1e-5, atol=1e-6)


def test_adain_takes_over_each_channels_mean_and_spread() -> None:
    latent, reference = mx.array(noise(2, 3, 2, 4, 4)), mx.array(5 + 3 * noise(2, 3, 2, 2, 2, seed=2))
    matched = match_statistics(latent, reference, 1.0)
    axes = (2, 3, 4)
    np.testing.assert_allclose(matched.mean(axes), reference.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(matched.std(axes, ddof=1), reference.std(axes, ddof=1), rtol=1e-5)
    halfway = match_statistics(latent, reference, 0.5)
    np.testing.assert_allclose(halfway, (latent + matched) / 2, rtol=1e-5, atol=1e-6)


def test_adain_is_off_unless_asked_for_and_moves_the_result_to_the_input() -> None:
    made, statistics = upsampler(), PerChannelStatistics(4)
    latent = mx.array(2 + noise(1, 4, 2, 3, 3))
    assert mx.array_equal(made.upsample(latent, statistics), made.upsample(latent, statistics, adain=0.0))
    matched = made.upsample(latent, statistics, adain=1.0)
    np.testing.assert_allclose(matched.mean((2, 3, 4)), latent.mean((2, 3, 4)), rtol=1e-5)


def test_group_norm_takes_its_statistics_over_time_and_space_together() -> None:
    norm = upsampler().network.initial_norm
    x = noise(2, 3, 4, 5, 32) * 3 + 1
    expected = (x - x.mean((1, 2, 3), keepdims=True)) / np.sqrt(x.var((1, 2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(norm(mx.array(x)), expected / (1 + np.exp(-expected)), atol=1e-5)


def test_keys_are_the_official_ones() -> None:
    plain, rational = (set(named_parameters(upsampler(rational_resampler=on).network)) for on in (False, True))
    assert plain - rational == {"upsampler.0.weight", "upsampler.0.bias"}
    assert rational - plain == {"upsampler.conv.weight", "upsampler.conv.bias", "upsampler.blur_down.kernel"}
    assert {"initial_norm.weight", "res_blocks.0.norm2.bias", "post_upsample_res_blocks.0.conv1.weight"} <= plain


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dims": 2}, "dims is 2, only 3 is supported"),
        ({"mid_channels": 48}, "mid_channels is 48, expected a multiple of 32"),
        ({"in_channels": 0}, "in_channels is 0"),
        ({"num_blocks_per_stage": "4"}, "num_blocks_per_stage is '4', expected int"),
        ({"rational_resampler": 1}, "rational_resampler is 1, expected bool"),
        ({"spatial_upsample": False}, "both false"),
        ({"rational_resampler": True, "spatial_scale": 3}, "spatial_scale is 3, supported: 0.75, 1.5, 2.0, 4.0"),
    ],
)
def test_a_configuration_that_is_not_supported_is_refused_by_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        upsampler(**fields)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    stored = Stored.read("upsampler_plain.safetensors")
    tensors = weights(stored.shapes, 1) | {"vae.decoder.conv_in.conv.bias": np.zeros(4, np.float32)}
    path = save_checkpoint(tmp_path / "up.safetensors", tensors, stored.config)
    with pytest.raises(WeightsError, match=r"vae.decoder.conv_in.conv.bias is not part of the model"):
        LatentUpsampler.from_checkpoint(Checkpoint(path), mx.float32)


def test_a_latent_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected \[B,4,F,H,W\]"):
        upsampler().upsample(mx.zeros((1, 5, 1, 2, 2)), PerChannelStatistics(5))
