"""Official VAEs and upsamplers with random weights, saved in the official layout."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ltx_core.model.upsampler import LatentUpsampler, LatentUpsamplerConfigurator
from ltx_core.model.video_vae import VideoDecoder, VideoDecoderConfigurator, VideoEncoder, VideoEncoderConfigurator
from safetensors.torch import save_file

Config = dict[str, Any]

RES = {"num_layers": 1}

# Stored in encoder order.
BLOCKS_19B: Config = {
    "encoder_blocks": [
        ["res_x", RES],
        ["compress_space_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
        ["compress_time_res", {"multiplier": 2}],
        ["res_x", RES],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", RES],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", RES],
    ],
    "decoder_blocks": [
        ["res_x", {"num_layers": 2, "inject_noise": False}],
        ["compress_all", {"residual": True, "multiplier": 2}],
        ["res_x", RES],
        ["compress_all", {"residual": True, "multiplier": 2}],
        ["res_x", RES],
        ["compress_all", {"residual": True, "multiplier": 2}],
        ["res_x", RES],
    ],
}
BLOCKS_23: Config = {
    "encoder_blocks": [
        ["res_x", RES],
        ["compress_space_res", {"multiplier": 2}],
        ["res_x", RES],
        ["compress_time_res", {"multiplier": 2}],
        ["res_x", RES],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", RES],
        ["compress_all_res", {"multiplier": 1}],
        ["res_x", RES],
    ],
    "decoder_blocks": [
        ["res_x", {"num_layers": 2}],
        ["compress_space", {"multiplier": 2}],
        ["res_x", {"num_layers": 3}],
        ["compress_time", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
        ["compress_all", {"multiplier": 1}],
        ["res_x", RES],
        ["compress_all", {"multiplier": 2}],
        ["res_x", RES],
    ],
}


def vae_config(blocks: Config = BLOCKS_19B, *, latent: int = 16, base: int = 8, **fields: object) -> Config:
    """The "vae" object of a small checkpoint."""
    return {
        "dims": 3,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": latent,
        "patch_size": 4,
        "norm_layer": "pixel_norm",
        "latent_log_var": "uniform",
        "causal_decoder": False,
        "timestep_conditioning": False,
        "decoder_base_channels": base,
        **blocks,
        **fields,
    }


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Weights that keep the signal's size; biases, scales and statistics that matter."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor: torch.Tensor) -> torch.Tensor:
        return torch.randn(tensor.shape, generator=generator)

    with torch.no_grad():
        for name, tensor in sorted(module.state_dict().items()):
            if name.endswith(("blur_down.kernel", "timestep_scale_multiplier")):
                continue
            if "std-of" in name or ("norm" in name and name.endswith("weight")):
                tensor.copy_(1 + 0.2 * normal(tensor).clamp(-3, 3))
            elif tensor.ndim > 1:
                tensor.copy_(normal(tensor) / tensor[0].numel() ** 0.5)
            else:
                tensor.copy_(0.3 * normal(tensor))


def official_keys(module: VideoDecoder | VideoEncoder) -> dict[str, torch.Tensor]:
    """A VAE half's tensors under their names in a unified file."""
    half = "decoder" if isinstance(module, VideoDecoder) else "encoder"
    return {
        ("vae." if name.startswith("per_channel_statistics.") else f"vae.{half}.") + name: tensor.contiguous()
        for name, tensor in module.state_dict().items()
    }


def save(path: Path, tensors: Mapping[str, torch.Tensor], config: Config) -> Path:
    save_file(dict(tensors), path, metadata={"config": json.dumps(config)})
    return path


def random_decoder(
    config: Config, path: Path, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[VideoDecoder, Path]:
    """The official decoder of a "vae" object, and the file it is saved in."""
    decoder = VideoDecoderConfigurator.from_config({"vae": config})
    randomize(decoder, seed)
    decoder = decoder.eval().to(dtype)
    return decoder, save(path, official_keys(decoder), {"vae": config})


def random_encoder(
    config: Config, path: Path, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[VideoEncoder, Path]:
    """The official encoder of a "vae" object, and the file it is saved in."""
    encoder = VideoEncoderConfigurator.from_config({"vae": config})
    randomize(encoder, seed)
    encoder = encoder.eval().to(dtype)
    return encoder, save(path, official_keys(encoder), {"vae": config})


def random_upsampler(
    config: Config, path: Path, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[LatentUpsampler, Path]:
    """The official upsampler of a file's configuration, and the file it is saved in."""
    upsampler = LatentUpsamplerConfigurator.from_config(config)
    randomize(upsampler, seed)
    upsampler = upsampler.eval().to(dtype)
    return upsampler, save(path, upsampler.state_dict(), config)


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(module: Any, *inputs: np.ndarray, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Calls a torch module or function on arrays; its output in float32."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return module(*(torch.from_numpy(array).to(dtype) for array in inputs)).float().numpy()
