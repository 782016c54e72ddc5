"""The MLX transformer against ltx_core's on the same random weights, through a file in the official layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.model.transformer.model import LTXModel

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.schedule import dev_sigmas, distilled_sigmas, stage_2_sigmas
from ltxbench.model.transformer import VideoTransformer
from tests.parity.conftest import Check, relative_error
from tests.parity.reference_transformer import (
    PREFIX,
    Inputs,
    official_velocity,
    random_inputs,
    random_transformer,
    randomize,
    save_transformer,
    save_unified,
    transformer_config,
    without,
)

pytestmark = pytest.mark.parity

Configuration = tuple[dict[str, Any], dict[str, Any]]

# Odd sizes on purpose: head widths that leave 0, 1 or 2 pairs unrotated, grids without a common factor.
CONFIGURATIONS: dict[str, Configuration] = {
    "4x32, 3 blocks, 24 fps": (
        transformer_config(heads=4, head_dim=32, layers=3, channels=128, caption_channels=96),
        {"grid": (4, 3, 5), "fps": 24, "text_tokens": 17},
    ),
    "3x10, 2 blocks, 25 fps": (
        transformer_config(heads=3, head_dim=10, layers=2, channels=7, caption_channels=11),
        {"grid": (3, 5, 2), "fps": 25, "text_tokens": 1},
    ),
    "2x64, 1 block, 30 fps, batch 3": (
        transformer_config(heads=2, head_dim=64, layers=1),
        {"grid": (1, 4, 7), "fps": 30, "text_tokens": 33, "batch": 3},
    ),
    "5x22, 4 blocks, 23.976 fps, theta 500": (
        transformer_config(
            heads=5, head_dim=22, layers=4, positional_embedding_theta=500.0, positional_embedding_max_pos=[7, 333, 801]
        ),
        {"grid": (5, 3, 3), "fps": 23.976, "text_tokens": 9, "batch": 2},
    ),
    "1x8, 2 blocks, 60 fps": (
        transformer_config(heads=1, head_dim=8, layers=2, timestep_scale_multiplier=250, norm_eps=1e-5),
        {"grid": (2, 1, 9), "fps": 60, "text_tokens": 5},
    ),
    "2x16, 2 blocks, as few fields as possible": (
        without(transformer_config(heads=2, head_dim=16, layers=2), "rope_type", "frequencies_precision"),
        {"grid": (2, 3, 4), "fps": 24, "text_tokens": 6},
    ),
    "6x20, 2 blocks, 12 fps, long clip": (
        transformer_config(heads=6, head_dim=20, layers=2),
        {"grid": (33, 2, 3), "fps": 12, "text_tokens": 64},
    ),
    "4x18, interleaved": (
        transformer_config(heads=4, head_dim=18, layers=2, rope_type="interleaved"),
        {"grid": (3, 4, 3), "fps": 24, "text_tokens": 8},
    ),
    "4x20, interleaved, padded": (
        transformer_config(heads=4, head_dim=20, layers=2, rope_type="interleaved"),
        {"grid": (3, 4, 3), "fps": 25, "text_tokens": 8, "batch": 2},
    ),
    "4x24, float32 frequencies": (
        transformer_config(heads=4, head_dim=24, layers=2, frequencies_precision="float32"),
        {"grid": (3, 4, 5), "fps": 24, "text_tokens": 8},
    ),
}


def load(path: Path, dtype: mx.Dtype = mx.float32) -> VideoTransformer:
    return VideoTransformer.from_checkpoint(Checkpoint(path), dtype)


def velocity(transformer: VideoTransformer, inputs: Inputs, *, skip: tuple[int, ...] = ()) -> np.ndarray:
    conditioning = transformer.prepare_at(mx.array(inputs.context.numpy()), inputs.positions.numpy())
    timesteps = inputs.timesteps.numpy()
    out = transformer(
        mx.array(inputs.latent.numpy()),
        mx.array(timesteps[:, 0] if timesteps.shape[1] == 1 else timesteps),
        conditioning,
        skip_self_attention=skip,
    )
    return np.array(out.astype(mx.float32))


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("per_token", [False, True], ids=["one timestep", "timestep a token"])
def test_the_forward_equals_the_official_one(name: str, per_token: bool, tmp_path: Path, check: Check) -> None:
    config, shape = CONFIGURATIONS[name]
    seed = 10 * list(CONFIGURATIONS).index(name) + per_token
    module = random_transformer(config, seed=seed)
    inputs = random_inputs(config, seed=seed + 1, per_token=per_token, **shape)
    transformer = load(save_transformer(tmp_path / "model.safetensors", config, module))
    label = f"{name}, {'per-token' if per_token else 'scalar'} timestep"
    check("transformer", label, velocity(transformer, inputs), official_velocity(module, inputs), 1e-5)
    skipped = (0, config["transformer"]["num_layers"] - 1)
    reference = official_velocity(module, inputs, skip=list(skipped))
    check("transformer, STG", label, velocity(transformer, inputs, skip=skipped), reference, 1e-5)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], LTXModel, VideoTransformer]:
    config = transformer_config(heads=4, head_dim=16, layers=2)
    module = random_transformer(config, seed=50)
    return (
        config,
        module,
        load(save_transformer(tmp_path_factory.mktemp("small") / "model.safetensors", config, module)),
    )


def test_every_noise_level_of_the_real_schedules_gives_the_official_velocity(
    small: tuple[dict[str, Any], LTXModel, VideoTransformer], check: Check
) -> None:
    config, module, transformer = small
    levels = np.unique(np.concatenate([distilled_sigmas(), stage_2_sigmas(), dev_sigmas(40), dev_sigmas(8, 1536)]))
    levels = levels[levels > 0]
    inputs = random_inputs(config, seed=3, grid=(3, 2, 5), fps=24, text_tokens=6, batch=len(levels))
    inputs = replace(inputs, timesteps=torch.from_numpy(levels)[:, None])
    out, reference = velocity(transformer, inputs), official_velocity(module, inputs)
    worst = max(range(len(levels)), key=lambda sample: relative_error(out[sample], reference[sample].numpy()))
    check("transformer", f"worst of {len(levels)} scheduled noise levels", out[worst], reference[worst], 1e-5)


@pytest.mark.parametrize("sigma", [1.0, 0.99375, 0.725, 0.421875])
def test_one_timestep_a_sample_equals_the_same_one_for_every_token(
    sigma: float, small: tuple[dict[str, Any], LTXModel, VideoTransformer]
) -> None:
    config, module, transformer = small
    shape = {"grid": (2, 3, 4), "fps": 24, "text_tokens": 6, "batch": 2}
    inputs = random_inputs(config, seed=4, sigma=sigma, **shape)
    by_token = random_inputs(config, seed=4, sigma=sigma, per_token=True, **shape)
    assert relative_error(velocity(transformer, by_token), velocity(transformer, inputs)) <= 1e-6
    assert relative_error(velocity(transformer, inputs), official_velocity(module, by_token).numpy()) <= 1e-5


def test_the_video_half_is_read_from_an_audio_video_file(tmp_path: Path, check: Check) -> None:
    config = transformer_config(heads=2, head_dim=14, layers=2)
    module = random_transformer(config, seed=60, audio=True)
    connectors = {
        f"{PREFIX}{name}_embeddings_connector.learnable_registers": torch.zeros(4, 8) for name in ("video", "audio")
    }
    vae = {"vae.decoder.conv_in.conv.weight": torch.zeros(2, 2, 3, 3, 3)}
    path = save_unified(tmp_path / "unified.safetensors", config, {PREFIX: module}, connectors | vae)
    inputs = random_inputs(config, seed=61, grid=(2, 5, 3), fps=24, text_tokens=7, batch=2)
    check("transformer", "audio-video file", velocity(load(path), inputs), official_velocity(module, inputs), 1e-5)


def test_the_grid_and_rate_give_the_official_positions(
    small: tuple[dict[str, Any], LTXModel, VideoTransformer], check: Check
) -> None:
    config, module, transformer = small
    for grid, fps in (((1, 1, 1), 24), ((4, 16, 24), 24), ((3, 7, 5), 29.97), ((16, 2, 3), 50)):
        inputs = random_inputs(config, seed=5, grid=grid, fps=fps, text_tokens=6, sigma=0.7)
        conditioning = transformer.prepare(mx.array(inputs.context.numpy()), grid, fps)
        out = transformer(mx.array(inputs.latent.numpy()), mx.array([0.7]), conditioning)
        check("transformer", f"grid {grid}, {fps} fps", out, official_velocity(module, inputs), 1e-5)


@pytest.mark.parametrize("skip", [(), (0,), (0, 1)])
def test_diffusers_transformer_agrees(skip: tuple[int, ...], tmp_path: Path, check: Check) -> None:
    from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel

    config = transformer_config(heads=4, head_dim=16, layers=2)
    module = random_transformer(config, seed=70)
    section = config["transformer"]
    other = LTX2VideoTransformer3DModel(
        in_channels=section["in_channels"],
        out_channels=section["out_channels"],
        num_attention_heads=4,
        attention_head_dim=16,
        cross_attention_dim=64,
        audio_in_channels=4,
        audio_out_channels=4,
        audio_num_attention_heads=4,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=16,
        num_layers=2,
        caption_channels=section["caption_channels"],
        rope_type="split",
        perturbed_attn=True,
    ).eval()
    randomize(other, seed=71)
    names = {"patchify_proj": "proj_in", "adaln_single": "time_embed", "q_norm": "norm_q", "k_norm": "norm_k"}
    state = {}
    for key, value in module.state_dict().items():
        for official, diffusers_name in names.items():
            key = key.replace(official, diffusers_name)
        state[key] = value
    assert not other.load_state_dict(state, strict=False).unexpected_keys
    grid, fps = (3, 4, 5), 25.0
    inputs = random_inputs(config, seed=72, grid=grid, fps=fps, text_tokens=9, batch=2)
    with torch.no_grad():
        reference = other(
            hidden_states=inputs.latent,
            audio_hidden_states=torch.zeros(2, 3, 4),
            encoder_hidden_states=inputs.context,
            audio_encoder_hidden_states=inputs.context,
            timestep=inputs.timesteps * 1000,
            num_frames=grid[0],
            height=grid[1],
            width=grid[2],
            fps=fps,
            audio_num_frames=3,
            isolate_modalities=True,
            spatio_temporal_guidance_blocks=list(skip),
        ).sample
    out = velocity(load(save_transformer(tmp_path / "model.safetensors", config, module)), inputs, skip=skip)
    check("transformer, diffusers", f"4x16, 2 blocks, STG in {skip or 'no'} blocks", out, reference, 1e-5)


@pytest.mark.parametrize(
    ("heads", "head_dim", "layers", "fps", "per_token", "seed"),
    [(4, 32, 2, 24, False, 0), (2, 16, 4, 25, True, 1), (8, 8, 1, 30, False, 2), (3, 22, 3, 24, False, 3)],
)
def test_bfloat16_is_as_close_to_float32_as_the_official_code_is(
    heads: int, head_dim: int, layers: int, fps: int, per_token: bool, seed: int, tmp_path: Path, check_bf16: Check
) -> None:
    config = transformer_config(heads=heads, head_dim=head_dim, layers=layers)
    module = random_transformer(config, seed=80 + seed)
    path = save_transformer(tmp_path / "model.safetensors", config, module)
    inputs = random_inputs(config, seed=90 + seed, grid=(3, 4, 3), fps=fps, text_tokens=8, per_token=per_token, batch=2)
    reference = official_velocity(module, inputs)
    out = velocity(load(path, mx.bfloat16), inputs)
    official = official_velocity(module.bfloat16(), inputs, dtype=torch.bfloat16)
    label = f"{heads}x{head_dim}, {layers} blocks, {fps} fps, seed {seed}"
    check_bf16("transformer", label, out, official, reference)
