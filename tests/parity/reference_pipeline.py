"""The official components, assembled from the same files that `generate` reads, in float32."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ltx_core.components.guiders import MultiModalGuiderParams
from ltx_core.components.patchifiers import VideoLatentPatchifier
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.model.transformer.model import LTXModel
from ltx_core.model.transformer.model_configurator import LTXVideoOnlyModelConfigurator
from ltx_core.model.upsampler import LatentUpsamplerConfigurator, upsample_video
from ltx_core.model.video_vae import (
    TilingConfig,
    VideoDecoderConfigurator,
    VideoEncoderConfigurator,
)
from ltx_core.text_encoders.gemma.embeddings_connector import Embeddings1DConnectorConfigurator
from ltx_core.text_encoders.gemma.embeddings_processor import EmbeddingsProcessor
from ltx_core.text_encoders.gemma.feature_extractor import FeatureExtractorV1
from ltx_core.types import VideoLatentShape
from safetensors import safe_open
from transformers import AutoTokenizer, Gemma3TextConfig, Gemma3TextModel

from ltxbench.matrix.case import Case, LoraUse, Model
from ltxbench.model.noise import STAGE_2_STREAM, initial_noise
from ltxbench.model.schedule import DISTILLED, STAGE_2
from ltxbench.weights.files import WeightFiles
from tests.parity.reference_transformer import official_denoise, official_positions

TRANSFORMER = "model.diffusion_model."
CONNECTOR = f"{TRANSFORMER}video_embeddings_connector."
NOT_VIDEO = ("audio", "a2v", "v2a", "av_ca", "embeddings_connector")


@dataclass(frozen=True)
class Result:
    latent: np.ndarray
    """[1, C, F, H, W], normalised."""
    frames: np.ndarray
    """uint8 [F, H, W, 3]."""


class File:
    """A safetensors file read by torch, everything in float32."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self.tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - no mapping
            metadata = file.metadata() or {}
        self.config = json.loads(metadata.get("config", "{}"))

    def under(self, prefix: str, without: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix) and not any(word in key.removeprefix(prefix) for word in without)
        }


@torch.no_grad()
def run(case: Case, prompt: str, negative_prompt: str, files: WeightFiles) -> Result:
    """What the official code makes of the case; our own noise, since generators differ between frameworks."""
    model_path = files.distilled if case.model is Model.DISTILLED else files.dev
    assert model_path is not None
    assert files.gemma is not None
    model = File(model_path)
    context, negative = (encode(model, files.gemma, text) for text in (prompt, negative_prompt))
    transformer = load_transformer(model, files, case, lora=case.distilled_lora is LoraUse.ALL)

    first = case.stages[0]
    params = MultiModalGuiderParams(
        cfg_scale=case.guidance, stg_scale=case.stg, stg_blocks=list(case.stg_blocks), rescale_scale=case.rescale
    )
    sigmas = torch.tensor(DISTILLED) if case.distilled_schedule else LTX2Scheduler().execute(case.steps)
    shape = (1, model.config["transformer"]["in_channels"], case.latent_frames, first.height // 32, first.width // 32)
    noise = torch.from_numpy(initial_noise(case.seed, shape))
    latent = denoise_stage(transformer, noise, sigmas, context, case.fps, params, negative)

    encoder = load_encoder(model)
    if case.two_stage:
        assert files.upscaler is not None
        latent = upsample_video(latent, encoder, load_upsampler(files.upscaler))
        if case.distilled_lora is LoraUse.STAGE_2:
            transformer = load_transformer(model, files, case, lora=True)
        fresh = torch.from_numpy(initial_noise(case.seed, tuple(latent.shape), stream=STAGE_2_STREAM))
        mixed = STAGE_2[0] * fresh + (1 - STAGE_2[0]) * latent
        latent = denoise_stage(transformer, mixed, torch.tensor(STAGE_2), context, case.fps)
    return Result(latent.numpy(), decode(model, latent))


def encode(model: File, gemma: Path, prompt: str) -> torch.Tensor:
    """[1, 1024, width of the connector], every position computed, padding included."""
    tokenizer = AutoTokenizer.from_pretrained(gemma, padding_side="left", model_max_length=1024)
    tokens = tokenizer(prompt.strip(), padding="max_length", max_length=1024, truncation=True, return_tensors="pt")
    text = Gemma3TextModel(Gemma3TextConfig(**json.loads((gemma / "config.json").read_text())["text_config"]))
    text = text.float().eval()
    weights = File(gemma / "model.safetensors").under("language_model.model.")
    missing, unexpected = text.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all("rotary" in name for name in missing)
    states = text(tokens.input_ids, attention_mask=tokens.attention_mask, output_hidden_states=True).hidden_states

    weight = model.tensors["text_embedding_projection.aggregate_embed.weight"]
    projection = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    projection.weight = torch.nn.Parameter(weight)
    connector = Embeddings1DConnectorConfigurator.from_config(
        {"transformer": connector_fields(model) | model.config["transformer"]}
    )
    connector.load_state_dict(model.under(CONNECTOR))
    processor = EmbeddingsProcessor(
        feature_extractor=FeatureExtractorV1(aggregate_embed=projection), video_connector=connector.eval()
    )
    return processor.process_hidden_states(states, tokens.attention_mask).video_encoding


def connector_fields(model: File) -> dict[str, int]:
    """The 19B's configuration has no field for the connector's sizes, which are 30 heads of 128 in code."""
    width = model.tensors[f"{CONNECTOR}learnable_registers"].shape[1]
    return {"connector_num_attention_heads": width // 128, "connector_attention_head_dim": 128}


def load_transformer(model: File, files: WeightFiles, case: Case, *, lora: bool) -> LTXModel:
    transformer = LTXVideoOnlyModelConfigurator.from_config(model.config).to_empty(device="cpu").float().eval()
    weights = model.under(TRANSFORMER, without=NOT_VIDEO)
    if lora:
        assert files.distilled_lora is not None
        pairs = File(files.distilled_lora).under("diffusion_model.")
        for name in [key.removesuffix(".lora_A.weight") for key in pairs if key.endswith(".lora_A.weight")]:
            if f"{name}.weight" in weights:
                update = pairs[f"{name}.lora_B.weight"] * case.lora_strength @ pairs[f"{name}.lora_A.weight"]
                weights[f"{name}.weight"] = weights[f"{name}.weight"] + update
    transformer.load_state_dict(weights)
    return transformer


def denoise_stage(
    transformer: LTXModel,
    latent: torch.Tensor,
    sigmas: torch.Tensor,
    context: torch.Tensor,
    fps: int,
    params: MultiModalGuiderParams | None = None,
    negative: torch.Tensor | None = None,
) -> torch.Tensor:
    patchifier = VideoLatentPatchifier(1)
    frames, height, width = latent.shape[2:]
    tokens = official_denoise(
        transformer,
        patchifier.patchify(latent),
        sigmas,
        context,
        official_positions((frames, height, width), fps),
        params=params,
        negative_context=negative,
    )
    return patchifier.unpatchify(tokens, VideoLatentShape(*latent.shape))


def load_encoder(model: File) -> torch.nn.Module:
    encoder = VideoEncoderConfigurator.from_config(model.config).float().eval()
    encoder.load_state_dict(model.under("vae.encoder.") | statistics(model))
    return encoder


def statistics(model: File) -> dict[str, torch.Tensor]:
    names = ("mean-of-means", "std-of-means")
    return {f"per_channel_statistics.{name}": model.tensors[f"vae.per_channel_statistics.{name}"] for name in names}


def load_upsampler(path: Path) -> torch.nn.Module:
    file = File(path)
    upsampler = LatentUpsamplerConfigurator.from_config(file.config).float().eval()
    upsampler.load_state_dict(file.tensors)
    return upsampler


def decode(model: File, latent: torch.Tensor) -> np.ndarray:
    """uint8 [F, H, W, 3], tiled as by default."""
    decoder = VideoDecoderConfigurator.from_config(model.config).float().eval()
    decoder.load_state_dict(model.under("vae.decoder.") | statistics(model))
    chunks = list(decoder.tiled_decode(latent, TilingConfig.default()))
    video = torch.cat(chunks, dim=2)[0]
    return (((video + 1) / 2).clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 3, 0).numpy()
