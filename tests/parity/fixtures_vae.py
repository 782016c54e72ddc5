"""Stored outputs of the official VAE and upsampler."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ltx_core.model.upsampler import LatentUpsampler, upsample_video
from ltx_core.model.video_vae import SpatialTilingConfig, TemporalTilingConfig, TilingConfig, VideoDecoder, VideoEncoder

from tests.model.seeded import Stored, noise, thinned
from tests.parity.reference_vae import (
    BLOCKS_19B,
    BLOCKS_23,
    official_keys,
    random_decoder,
    random_encoder,
    random_upsampler,
    run,
    vae_config,
)

SEED = 7
SMALL_TILES = TilingConfig(SpatialTilingConfig(96, 32), TemporalTilingConfig(24, 8))


def tiled_decode(decoder: VideoDecoder, latent: np.ndarray, tiling: TilingConfig) -> np.ndarray:
    """All chunks of the official tiled decode, one after the other."""
    return run(lambda x: torch.cat(list(decoder.tiled_decode(x, tiling)), dim=2), latent)


def write(folder: Path) -> None:
    """Writes vae_*.safetensors and upsampler_*.safetensors into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "reference.safetensors"
        for name, blocks, padding in (("19b", BLOCKS_19B, "reflect"), ("23", BLOCKS_23, "zeros")):
            config = vae_config(blocks, latent=8, base=4, decoder_spatial_padding_mode=padding)
            # The installed official code reads the later name of the field.
            decoder, _ = random_decoder({**config, "spatial_padding_mode": padding}, path, SEED)
            latent, long = noise(1, 8, 2, 2, 3), noise(1, 8, 5, 3, 4)
            outputs = {
                "decoded": thinned(run(decoder, latent)),
                "tiled": thinned(tiled_decode(decoder, long, SMALL_TILES)),
            }
            inputs = {"latent": list(latent.shape), "long": list(long.shape)}
            _stored({"vae": config}, decoder, inputs, outputs).write(folder / f"vae_decoder_{name}.safetensors")

            encoder, _ = random_encoder(config, path, SEED)
            video = noise(1, 3, 9, 64, 96)
            outputs = {"encoded": thinned(run(encoder, video))}
            stored = _stored({"vae": config}, encoder, {"video": list(video.shape)}, outputs)
            stored.write(folder / f"vae_encoder_{name}.safetensors")

        statistics = random_encoder(vae_config(latent=8), path, SEED)[0]
        for name, rational in (("rational", True), ("plain", False)):
            config = {"in_channels": 8, "mid_channels": 32, "num_blocks_per_stage": 2, "rational_resampler": rational}
            upsampler, _ = random_upsampler(config, path, SEED)
            latent = noise(1, 8, 3, 3, 5)
            outputs = {
                "mean-of-means": statistics.per_channel_statistics.get_buffer("mean-of-means").numpy(),
                "std-of-means": statistics.per_channel_statistics.get_buffer("std-of-means").numpy(),
                "upsampled": thinned(run(lambda x, module=upsampler: upsample_video(x, statistics, module), latent)),
            }
            stored = _stored(config, upsampler, {"latent": list(latent.shape)}, outputs)
            stored.write(folder / f"upsampler_{name}.safetensors")


def _stored(
    config: dict[str, Any],
    module: VideoDecoder | VideoEncoder | LatentUpsampler,
    inputs: dict[str, list[int]],
    outputs: dict[str, np.ndarray],
) -> Stored:
    shapes = {name: list(tensor.shape) for name, tensor in official_keys(module).items()}
    return Stored(config=config, shapes=shapes, seed=SEED, inputs=inputs, outputs=outputs)
