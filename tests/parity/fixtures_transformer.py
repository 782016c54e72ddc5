"""Reference tensors of the transformer and the denoising loop, and single values of what surrounds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from ltx_core.components.guiders import MultiModalGuiderParams
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.model.transformer.rope import LTXRopeType, generate_freq_grid_np, precompute_freqs_cis
from ltx_core.model.transformer.timestep_embedding import get_timestep_embedding
from safetensors.torch import save_file

from tests.parity.reference_transformer import (
    PREFIX,
    Inputs,
    official_denoise,
    official_positions,
    official_velocity,
    random_inputs,
    random_transformer,
    save_unified,
    transformer_config,
)

GRID, FPS = (2, 3, 4), 24.0
# Two of the eight pairs do not turn, and the audio half is there to be skipped.
CONFIG = transformer_config(
    heads=2,
    head_dim=8,
    layers=2,
    channels=6,
    caption_channels=10,
    audio_attention_head_dim=2,
    audio_cross_attention_dim=4,
)
TOKENS_GOLDEN = (0, 1, 24, 384, 1535)
ROPE_GOLDEN = ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (5, 10), (31, 63))
CONNECTOR_ROPE_GOLDEN = ((0, 0), (0, 1), (15, 3), (29, 63))


def write(folder: Path) -> None:
    module = random_transformer(CONFIG, seed=1, audio=True)
    write_transformer(folder / "transformer.safetensors", module)
    write_denoise(folder / "denoise.safetensors", module)
    (folder / "golden.json").write_text(json.dumps(golden(), indent=1) + "\n")


def write_transformer(path: Path, module: torch.nn.Module) -> None:
    """The weights as published files hold them, bfloat16 but for the tables, with inputs and velocities beside them."""
    scalar = random_inputs(CONFIG, seed=2, grid=GRID, fps=FPS, text_tokens=5, batch=2)
    by_token = random_inputs(CONFIG, seed=2, grid=GRID, fps=FPS, text_tokens=5, batch=2, per_token=True)
    extra = _inputs(scalar) | {
        "inputs.timesteps_by_token": by_token.timesteps,
        "expected.scalar": official_velocity(module, scalar),
        "expected.by_token": official_velocity(module, by_token),
        "expected.skip_1": official_velocity(module, scalar, skip=[1]),
    }
    save_unified(path, CONFIG, {PREFIX: module}, extra, published_dtypes=True)


def write_denoise(path: Path, module: torch.nn.Module) -> None:
    """Final latents of short loops with the weights of transformer.safetensors."""
    inputs = random_inputs(CONFIG, seed=3, grid=GRID, fps=FPS, text_tokens=5)
    negative = random_inputs(CONFIG, seed=4, grid=GRID, fps=FPS, text_tokens=5).context
    start = (module, inputs.latent)
    texts = (inputs.context, inputs.positions)
    distilled = torch.tensor([1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0])
    dev = LTX2Scheduler().execute(6)
    cfg = MultiModalGuiderParams(cfg_scale=4.0)
    full = MultiModalGuiderParams(cfg_scale=3.0, stg_scale=1.0, stg_blocks=[1], rescale_scale=0.7)
    tensors = {
        "inputs.latent": inputs.latent,
        "inputs.context": inputs.context,
        "inputs.negative": negative,
        "expected.distilled": official_denoise(*start, distilled, *texts),
        "expected.cfg": official_denoise(*start, dev, *texts, params=cfg, negative_context=negative),
        "expected.cfg_stg_rescale": official_denoise(*start, dev, *texts, params=full, negative_context=negative),
    }
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)


def golden() -> dict[str, Any]:
    """At the 19B's sizes and 768x512, 25 frames, 24 fps."""
    positions = official_positions((4, 16, 24), 24)
    cos, sin = _tables(positions, heads=32, head_dim=128, max_pos=[20, 2048, 2048])
    connector_positions = torch.arange(1024, dtype=torch.float32)[None, None]
    connector_cos, connector_sin = _tables(connector_positions, heads=30, head_dim=128, max_pos=[4096])
    waves = get_timestep_embedding(torch.tensor([725.0]), 256, flip_sin_to_cos=True, downscale_freq_shift=0)[0]
    return {
        "positions": {str(token): positions[0, :, token].tolist() for token in TOKENS_GOLDEN},
        "rope": [
            [token, head, index, cos[0, head, token, index].item(), sin[0, head, token, index].item()]
            for token in TOKENS_GOLDEN
            for head, index in ROPE_GOLDEN
        ],
        "connector_rope": [
            [
                token,
                head,
                index,
                connector_cos[0, head, token, index].item(),
                connector_sin[0, head, token, index].item(),
            ]
            for token in (0, 1, 1023)
            for head, index in CONNECTOR_ROPE_GOLDEN
        ],
        "timestep_725": {str(index): waves[index].item() for index in (0, 1, 2, 127, 128, 129, 255)},
        "sigmas": [
            [steps, tokens, LTX2Scheduler().execute(steps, latent=torch.empty(1, 1, tokens)).tolist()]
            for steps, tokens in ((40, 4096), (40, 1536), (30, 4096), (8, 1536))
        ],
    }


def _tables(
    positions: torch.Tensor, *, heads: int, head_dim: int, max_pos: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    return precompute_freqs_cis(
        positions,
        dim=heads * head_dim,
        out_dtype=torch.float32,
        max_pos=max_pos,
        use_middle_indices_grid=positions.ndim == 4,
        num_attention_heads=heads,
        rope_type=LTXRopeType.SPLIT,
        freq_grid_generator=generate_freq_grid_np,
    )


def _inputs(inputs: Inputs) -> dict[str, torch.Tensor]:
    return {
        "inputs.latent": inputs.latent,
        "inputs.context": inputs.context,
        "inputs.positions": inputs.positions,
        "inputs.timesteps": inputs.timesteps[:, 0],
    }
