"""The MLX transformer against ltx_core's on the same random weights, through a file in the official layout."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.schedule import dev_sigmas, distilled_sigmas, stage_2_sigmas
from ltxbench.model.transformer import VideoTransformer
from tests.parity.conftest import Check
from tests.parity.reference_transformer import (
    Inputs,
    official_velocity,
    random_inputs,
    random_transformer,
    save_transformer,
    transformer_config,
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
