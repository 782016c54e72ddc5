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

from tests.model.seeded import weights

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
    shapes = {name: tuple(tensor.shape) for name, tensor in official_keys(module).items()}
    made = weights(shapes, seed)
    with torch.no_grad():
        for name, tensor in official_keys(module).items():
            tensor.copy_(torch.from_numpy(made[name]))


def official_keys(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The module's tensors under their names in an official file."""
    if not isinstance(module, VideoDecoder | VideoEncoder):
        return module.state_dict()
    half = "decoder" if isinstance(module, VideoDecoder) else "encoder"
    return {
        ("vae." if name.startswith("per_channel_statistics.") else f"vae.{half}.") + name: tensor
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
    return upsampler, save(path, official_keys(upsampler), config)


def run(module: Any, *inputs: np.ndarray, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Calls a torch module or function on arrays; its output in float32."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return module(*(torch.from_numpy(array).to(dtype) for array in inputs)).float().numpy()
