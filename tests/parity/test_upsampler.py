"""Latent upsampler against ltx_core, and its AdaIN against diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import mlx.core as mx
import pytest
import torch
from diffusers import LTX2LatentUpsamplePipeline
from ltx_core.model.upsampler import upsample_video

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.upsampler import LatentUpsampler, match_statistics
from ltxbench.model.vae import PerChannelStatistics
from tests.model.seeded import noise
from tests.parity.conftest import Check
from tests.parity.reference_vae import Config, random_encoder, random_upsampler, run, vae_config

pytestmark = pytest.mark.parity

UPSAMPLERS: dict[str, tuple[Config, tuple[int, ...]]] = {
    "rational, 3x5x7": ({"rational_resampler": True}, (1, 16, 3, 5, 7)),
    "plain, one frame, batch 2": ({"rational_resampler": False}, (2, 16, 1, 4, 3)),
    "rational, one cell high": ({"rational_resampler": True, "num_blocks_per_stage": 1}, (1, 16, 4, 1, 5)),
    "rational, wide": ({"rational_resampler": True, "mid_channels": 128, "num_blocks_per_stage": 1}, (1, 16, 2, 3, 3)),
    "rational, x1.5": ({"rational_resampler": True, "spatial_scale": 1.5}, (1, 16, 2, 5, 6)),
    "rational, x0.75": ({"rational_resampler": True, "spatial_scale": 0.75}, (1, 16, 2, 5, 7)),
    "rational, x4": ({"rational_resampler": True, "spatial_scale": 4.0}, (1, 16, 2, 3, 2)),
    "time": ({"spatial_upsample": False, "temporal_upsample": True}, (1, 16, 3, 4, 3)),
    "space and time": ({"temporal_upsample": True}, (1, 16, 3, 3, 4)),
}


def small(fields: Config) -> Config:
    return {"in_channels": 16, "mid_channels": 64, "num_blocks_per_stage": 2, **fields}


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_upsampler(name: str, tmp_path: Path, check: Check) -> None:
    fields, shape = UPSAMPLERS[name]
    vae, vae_path = random_encoder(vae_config(), tmp_path / "vae.safetensors", seed=3)
    official, path = random_upsampler(small(fields), tmp_path / "upsampler.safetensors", seed=len(name))
    latent = noise(*shape)
    statistics = PerChannelStatistics.from_checkpoint(Checkpoint(vae_path), 16)
    made = LatentUpsampler.from_checkpoint(Checkpoint(path), mx.float32).upsample(mx.array(latent), statistics)
    reference = run(lambda x: upsample_video(x, vae, official), latent)
    check("Upsampler", name, made, reference, 1e-5)


@pytest.mark.parametrize("name", ["rational, 3x5x7", "plain, one frame, batch 2"])
def test_upsampler_in_bfloat16(name: str, tmp_path: Path, check_bf16: Check) -> None:
    fields, shape = UPSAMPLERS[name]
    shape = (*shape[:3], 3, 3)
    vae, vae_path = random_encoder(vae_config(), tmp_path / "vae.safetensors", seed=3, dtype=torch.bfloat16)
    official, path = random_upsampler(small(fields), tmp_path / "upsampler.safetensors", dtype=torch.bfloat16)
    latent = torch.from_numpy(noise(*shape)).bfloat16().float().numpy()
    torch_out = run(lambda x: upsample_video(x, vae, official), latent, dtype=torch.bfloat16)
    vae, official = vae.float(), official.float()
    reference = run(lambda x: upsample_video(x, vae, official), latent)
    statistics = PerChannelStatistics.from_checkpoint(Checkpoint(vae_path), 16)
    upsampler = LatentUpsampler.from_checkpoint(Checkpoint(path), mx.bfloat16)
    made = upsampler.upsample(mx.array(latent).astype(mx.bfloat16), statistics)
    check_bf16("Upsampler", name, made, torch_out, reference)


@pytest.mark.parametrize("factor", [0.3, 1.0])
def test_adain(factor: float, check: Check) -> None:
    latent, reference = noise(2, 5, 3, 6, 4), 2 + 3 * noise(2, 5, 3, 3, 2, seed=2)
    adain = LTX2LatentUpsamplePipeline.adain_filter_latent
    nobody = cast("LTX2LatentUpsamplePipeline", None)  # the method reads nothing of its object
    expected = run(lambda x, y: adain(nobody, x, y, factor), latent, reference)
    check("AdaIN", f"factor {factor}", match_statistics(mx.array(latent), mx.array(reference), factor), expected, 1e-5)
