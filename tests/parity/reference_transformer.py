"""The official video transformer with random weights, and its weights as a file in the official layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ltx_core.components.diffusion_steps import EulerDiffusionStep
from ltx_core.components.guiders import MultiModalGuider, MultiModalGuiderParams
from ltx_core.components.patchifiers import VideoLatentPatchifier
from ltx_core.guidance.perturbations import (
    BatchedPerturbationConfig,
    Perturbation,
    PerturbationConfig,
    PerturbationType,
)
from ltx_core.model.transformer.modality import Modality
from ltx_core.model.transformer.model import LTXModel, X0Model
from ltx_core.model.transformer.model_configurator import LTXModelConfigurator, LTXVideoOnlyModelConfigurator
from ltx_core.tools import VideoLatentTools
from ltx_core.types import VideoLatentShape
from safetensors.torch import save_file

PREFIX = "model.diffusion_model."

torch.set_num_threads(1)  # The tensors are tiny: handing them between threads costs more than computing them.

# The 19B's values for everything that is not a size.
LAYOUT_19B: dict[str, Any] = {
    "dropout": 0.0,
    "attention_bias": True,
    "num_vector_embeds": None,
    "activation_fn": "gelu-approximate",
    "num_embeds_ada_norm": 1000,
    "use_linear_projection": False,
    "only_cross_attention": False,
    "cross_attention_norm": True,
    "double_self_attention": False,
    "upcast_attention": False,
    "standardization_norm": "rms_norm",
    "norm_elementwise_affine": False,
    "norm_eps": 1e-6,
    "qk_norm": "rms_norm",
    "positional_embedding_type": "rope",
    "positional_embedding_theta": 10000.0,
    "positional_embedding_max_pos": [20, 2048, 2048],
    "use_audio_video_cross_attention": True,
    "share_ff": False,
    "av_cross_ada_norm": True,
    "use_middle_indices_grid": True,
    "timestep_scale_multiplier": 1000,
    "av_ca_timestep_scale_multiplier": 1000,
    "rope_type": "split",
    "frequencies_precision": "float64",
    "audio_positional_embedding_max_pos": [20],
}


def transformer_config(
    *, heads: int, head_dim: int, layers: int, channels: int = 16, caption_channels: int = 24, **overrides: Any
) -> dict[str, Any]:
    """The unified file's configuration for a transformer of the given sizes; its audio half is as small as can be."""
    return {
        "transformer": LAYOUT_19B
        | {
            "num_attention_heads": heads,
            "attention_head_dim": head_dim,
            "num_layers": layers,
            "in_channels": channels,
            "out_channels": channels,
            "cross_attention_dim": heads * head_dim,
            "caption_channels": caption_channels,
            "audio_num_attention_heads": heads,
            "audio_attention_head_dim": 4,
            "audio_in_channels": 4,
            "audio_out_channels": 4,
            "audio_cross_attention_dim": heads * 4,
        }
        | overrides
    }


def without(config: dict[str, Any], *fields: str) -> dict[str, Any]:
    """The configuration with fields left out, for which the official code has defaults."""
    return {"transformer": {key: value for key, value in config["transformer"].items() if key not in fields}}


def random_transformer(config: Mapping[str, Any], *, seed: int, audio: bool = False) -> LTXModel:
    """The official module in float32, every parameter drawn so that each part of it matters in the output."""
    configurator = LTXModelConfigurator if audio else LTXVideoOnlyModelConfigurator
    module = configurator.from_config(dict(config)).to_empty(device="cpu").float().eval()
    randomize(module, seed)
    return module


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Matrices keep their input's variance, norms' weights lie around 1, biases and tables around 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "table" in name:
            value = 0.5 * noise
        elif parameter.ndim > 1:
            value = noise * parameter[0].numel() ** -0.5
        elif "norm" in name:
            value = 1 + 0.2 * noise
        else:
            value = 0.2 * noise
        # Weights that bfloat16 can hold, as in published files: what is compared is the arithmetic's precision alone.
        parameter.data = value.bfloat16().float()


def save_unified(
    path: Path,
    config: Mapping[str, Any],
    modules: Mapping[str, torch.nn.Module],
    extra: Mapping[str, torch.Tensor] | None = None,
    *,
    published_dtypes: bool = False,
) -> Path:
    """A safetensors file in the official layout: each module's tensors under its prefix, the configuration as JSON.

    With `published_dtypes` the modules' tensors are stored as in published files: the tables in float32, the rest in
    bfloat16.
    """
    tensors = {prefix + key: value for prefix, module in modules.items() for key, value in module.state_dict().items()}
    if published_dtypes:
        tensors = {key: value if "table" in key else value.bfloat16() for key, value in tensors.items()}
    tensors |= extra or {}
    save_file(
        {key: value.contiguous() for key, value in tensors.items()}, path, metadata={"config": json.dumps(config)}
    )
    return path


def save_transformer(path: Path, config: Mapping[str, Any], module: LTXModel) -> Path:
    return save_unified(path, config, {PREFIX: module})


@dataclass(frozen=True)
class Inputs:
    """One call's inputs, in float32 and PyTorch's layout."""

    latent: torch.Tensor
    """[B, N, C]"""
    positions: torch.Tensor
    """[B, 3, N, 2]"""
    context: torch.Tensor
    """[B, T, caption_channels]"""
    timesteps: torch.Tensor
    """[B, 1], or [B, N] one a token; in 0..1."""

    def modality(self, dtype: torch.dtype = torch.float32) -> Modality:
        return Modality(
            latent=self.latent.to(dtype),
            sigma=self.timesteps.amax(dim=1),
            timesteps=self.timesteps,
            positions=self.positions,
            context=self.context.to(dtype),
        )


def official_positions(grid: tuple[int, int, int], fps: float, batch: int = 1) -> torch.Tensor:
    """[B, 3, N, 2], as the official pipeline's latent tools make them."""
    tools = VideoLatentTools(VideoLatentPatchifier(1), VideoLatentShape(batch, 1, *grid), fps)
    return tools.create_initial_state(device="cpu", dtype=torch.float32).positions


def random_inputs(
    config: Mapping[str, Any],
    *,
    seed: int,
    grid: tuple[int, int, int],
    fps: float,
    text_tokens: int,
    batch: int = 1,
    per_token: bool = False,
    sigma: float | None = None,
) -> Inputs:
    section = config["transformer"]
    generator = torch.Generator().manual_seed(seed)
    tokens = int(np.prod(grid))
    latent = torch.randn(batch, tokens, section["in_channels"], generator=generator)
    context = torch.randn(batch, text_tokens, section["caption_channels"], generator=generator)
    timesteps = torch.rand(batch, tokens if per_token else 1, generator=generator)
    if sigma is not None:
        timesteps = torch.full_like(timesteps, sigma)
    return Inputs(latent, official_positions(grid, fps, batch), context, timesteps)


def skip_self_attention(blocks: list[int], batch: int = 1) -> BatchedPerturbationConfig:
    perturbation = PerturbationConfig([Perturbation(PerturbationType.SKIP_VIDEO_SELF_ATTN, blocks)])
    return BatchedPerturbationConfig([perturbation] * batch)


@torch.no_grad()
def official_velocity(
    module: LTXModel, inputs: Inputs, *, skip: list[int] | None = None, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """[B, N, C] in float32, of the video alone; positions and timesteps stay in float32 in every `dtype`."""
    batch = inputs.latent.shape[0]
    perturbations = skip_self_attention(skip, batch) if skip is not None else BatchedPerturbationConfig.empty(batch)
    video, _ = module(video=inputs.modality(dtype), audio=None, perturbations=perturbations)
    return video.float()


@torch.no_grad()
def official_denoise(
    module: LTXModel,
    latent: torch.Tensor,
    sigmas: torch.Tensor,
    context: torch.Tensor,
    positions: torch.Tensor,
    *,
    params: MultiModalGuiderParams | None = None,
    negative_context: torch.Tensor | None = None,
    denoise_mask: torch.Tensor | None = None,
    clean: torch.Tensor | None = None,
) -> torch.Tensor:
    """The official Euler loop for the video alone, from its own guider and stepper, all in float32.

    latent [1, N, C], sigmas [steps + 1], contexts [1, T, caption_channels], positions [1, 3, N, 2],
    denoise_mask [1, N, 1], clean [1, N, C] (the start where that is None); returns [1, N, C].
    """
    guider = MultiModalGuider(params or MultiModalGuiderParams(), negative_context)
    stepper, model = EulerDiffusionStep(), X0Model(module)
    mask = torch.ones(*latent.shape[:2], 1) if denoise_mask is None else denoise_mask
    clean = latent if clean is None else clean

    def predict(text: torch.Tensor, sigma: torch.Tensor, skip: list[int] | None = None) -> torch.Tensor:
        modality = Modality(latent, sigma.reshape(1), mask * sigma, positions, text)
        perturbations = skip_self_attention(skip) if skip else BatchedPerturbationConfig.empty(1)
        denoised, _ = model(video=modality, audio=None, perturbations=perturbations)
        return denoised

    for step, sigma in enumerate(sigmas[:-1]):
        uncond = perturbed = 0.0
        cond = predict(context, sigma)
        if guider.do_unconditional_generation():
            uncond = predict(guider.negative_context, sigma)
        if guider.do_perturbed_generation():
            perturbed = predict(context, sigma, guider.params.stg_blocks)
        denoised = guider.calculate(cond, uncond, perturbed, 0.0)
        denoised = denoised * mask + clean * (1 - mask)
        latent = stepper.step(latent, denoised, sigmas, step)
    return latent
