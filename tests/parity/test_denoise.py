"""Whole denoising loops against one built of ltx_core's own guider, stepper and scheduler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.components.guiders import MultiModalGuiderParams
from ltx_core.components.patchifiers import VideoLatentPatchifier
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.model.transformer.model import LTXModel
from ltx_core.types import VideoLatentShape

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.denoise import denoise, pack, unpack
from ltxbench.model.guidance import Guidance
from ltxbench.model.noise import initial_noise
from ltxbench.model.schedule import Sigmas, dev_sigmas, distilled_sigmas, stage_2_sigmas
from ltxbench.model.transformer import VideoTransformer
from tests.parity.conftest import Check
from tests.parity.reference_transformer import (
    official_denoise,
    official_positions,
    random_transformer,
    save_transformer,
    transformer_config,
)

pytestmark = pytest.mark.parity

GRID, FPS = (3, 4, 5), 24


@dataclass
class Setting:
    module: LTXModel
    transformer: VideoTransformer
    noise: np.ndarray
    context: np.ndarray
    negative: np.ndarray

    def official(self, sigmas: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return official_denoise(
            self.module,
            torch.from_numpy(self.noise),
            sigmas,
            torch.from_numpy(self.context),
            official_positions(GRID, FPS),
            negative_context=torch.from_numpy(self.negative),
            **kwargs,
        )

    def ours(self, sigmas: Sigmas, guidance: Guidance | None = None, batched: bool = False, **kwargs: Any) -> mx.array:
        conditioning = self.transformer.prepare(mx.array(self.context), GRID, FPS)
        negative = self.transformer.prepare(mx.array(self.negative), GRID, FPS, rotation=conditioning.rotation)
        return denoise(
            self.transformer,
            mx.array(self.noise),
            sigmas,
            conditioning,
            negative=negative,
            joined=conditioning.joined(negative) if batched else None,
            guidance=guidance,
            **kwargs,
        )


@pytest.fixture(scope="module", params=[(4, 16, 2), (3, 22, 3)], ids=["4x16, 2 blocks", "3x22, 3 blocks"])
def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    heads, head_dim, layers = request.param
    config = transformer_config(heads=heads, head_dim=head_dim, layers=layers)
    module = random_transformer(config, seed=heads)
    path = save_transformer(tmp_path_factory.mktemp("denoise") / "model.safetensors", config, module)
    section = config["transformer"]
    texts = initial_noise(layers, (2, 1, 9, section["caption_channels"]), stream=7)
    noise = initial_noise(layers, (1, int(np.prod(GRID)), section["in_channels"]))
    return Setting(module, VideoTransformer.from_checkpoint(Checkpoint(path), mx.float32), noise, *texts)


def label(setting: Setting, what: str) -> str:
    config = setting.transformer.config
    return f"{config.num_attention_heads}x{config.attention_head_dim}, {config.num_layers} blocks, {what}"


def test_distilled_steps_end_at_the_official_latent(setting: Setting, check: Check) -> None:
    out = setting.ours(distilled_sigmas())
    reference = setting.official(torch.from_numpy(distilled_sigmas()))
    check("denoising, distilled", label(setting, "8 steps"), out, reference, 1e-4)


def test_the_second_stage_ends_at_the_official_latent(setting: Setting, check: Check) -> None:
    out = setting.ours(stage_2_sigmas())
    reference = setting.official(torch.from_numpy(stage_2_sigmas()))
    check("denoising, stage 2", label(setting, "3 steps"), out, reference, 1e-4)


def test_dev_steps_with_cfg_end_at_the_official_latent(setting: Setting, check: Check) -> None:
    reference = setting.official(LTX2Scheduler().execute(12), params=MultiModalGuiderParams(cfg_scale=4.0))
    for batched in (False, True):
        out = setting.ours(dev_sigmas(12), Guidance(cfg=4.0), batched)
        what = f"12 steps, {'batched' if batched else 'sequential'}"
        check("denoising, dev with CFG", label(setting, what), out, reference, 1e-4)


def test_dev_steps_with_cfg_stg_and_rescale_end_at_the_official_latent(setting: Setting, check: Check) -> None:
    config = setting.transformer.config
    steps = 40 if config.num_layers == 2 else 10
    block = config.num_layers - 1
    guidance = Guidance(cfg=3.0, stg=1.0, stg_blocks=(block,), rescale=0.7)
    params = MultiModalGuiderParams(cfg_scale=3.0, stg_scale=1.0, stg_blocks=[block], rescale_scale=0.7)
    reference = setting.official(LTX2Scheduler().execute(steps), params=params)
    out = setting.ours(dev_sigmas(steps), guidance)
    check("denoising, dev with CFG, STG, rescale", label(setting, f"{steps} steps"), out, reference, 1e-4)


@pytest.mark.parametrize("guided", [False, True])
def test_tokens_that_are_kept_follow_the_official_mask(setting: Setting, guided: bool, check: Check) -> None:
    tokens = setting.noise.shape[1]
    mask = np.ones((1, tokens), np.float32)
    mask[:, : GRID[1] * GRID[2]] = 0
    mask[:, -3:] = 0.6
    params = MultiModalGuiderParams(cfg_scale=3.0, rescale_scale=0.5) if guided else None
    reference = setting.official(
        torch.from_numpy(distilled_sigmas()), params=params, denoise_mask=torch.from_numpy(mask)[..., None]
    )
    guidance = Guidance(cfg=3.0, rescale=0.5) if guided else None
    out = setting.ours(distilled_sigmas(), guidance, mask=mx.array(mask))
    check("denoising, per-token mask", label(setting, "CFG" if guided else "no guidance"), out, reference, 1e-4)
    assert np.array_equal(np.array(out)[mask == 0], setting.noise[mask == 0])


def test_a_clean_latent_holds_masked_tokens_as_the_official_loop_does(setting: Setting, check: Check) -> None:
    tokens = setting.noise.shape[1]
    mask = initial_noise(3, (1, tokens)).clip(0, 1)
    clean = initial_noise(4, setting.noise.shape)
    start = setting.noise * mask[..., None] + clean * (1 - mask[..., None])
    begun = replace(setting, noise=start)
    reference = begun.official(
        torch.from_numpy(distilled_sigmas()),
        denoise_mask=torch.from_numpy(mask)[..., None],
        clean=torch.from_numpy(clean),
    )
    out = begun.ours(distilled_sigmas(), mask=mx.array(mask), clean=mx.array(clean))
    check("denoising, per-token mask", label(setting, "random mask, clean latent"), out, reference, 1e-4)


def test_tokens_are_packed_in_the_official_order() -> None:
    latent = initial_noise(0, (2, 6, 3, 4, 5))
    patchifier = VideoLatentPatchifier(1)
    tokens = patchifier.patchify(torch.from_numpy(latent))
    assert np.array_equal(pack(mx.array(latent)), tokens)
    back = patchifier.unpatchify(tokens, VideoLatentShape(2, 6, 3, 4, 5))
    assert np.array_equal(unpack(mx.array(tokens.numpy()), (3, 4, 5)), back)
