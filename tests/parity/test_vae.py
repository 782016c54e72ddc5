"""Video VAE against ltx_core: decoder whole and tiled, encoder, and the arithmetic of the tiles."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.model.video_vae import (
    SpatialTilingConfig,
    TemporalTilingConfig,
    decode_video,
)
from ltx_core.model.video_vae import (
    TilingConfig as OfficialTiling,
)
from ltx_core.model.video_vae import (
    VideoDecoder as OfficialDecoder,
)

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.vae import OFFICIAL, TilingConfig, VideoDecoder, VideoEncoder, decode_chunks, decode_frames
from ltxbench.model.vae.decoding import Frames
from ltxbench.model.vae.tiling import grid
from tests.model.seeded import noise
from tests.parity.conftest import Check
from tests.parity.fixtures_vae import tiled_decode
from tests.parity.reference_vae import BLOCKS_23, Config, random_decoder, random_encoder, run, vae_config

pytestmark = pytest.mark.parity

WIDER: Config = {
    "decoder_blocks": [
        ["res_x", 1],
        ["compress_all", {"residual": True, "multiplier": 2}],
        ["res_x_y", {"multiplier": 2}],
        ["compress_time", {}],
        ["compress_space", {"multiplier": 2}],
        ["compress_all", {"multiplier": 1, "residual": True}],
        ["res_x", 2],
    ],
    "encoder_blocks": [
        ["res_x", 1],
        ["compress_all", {}],
        ["res_x_y", {"multiplier": 2}],
        ["compress_time", {}],
        ["compress_space", {}],
        ["compress_all_x_y", {"multiplier": 2}],
        ["res_x", {"num_layers": 2}],
    ],
}

DECODERS: dict[str, tuple[Config, tuple[int, ...]]] = {
    "19B blocks, 3x5x7": (vae_config(), (1, 16, 3, 5, 7)),
    "19B blocks, one frame, batch 2": (vae_config(base=16, latent=8), (2, 8, 1, 2, 3)),
    "19B blocks, causal, zeros": (vae_config(causal_decoder=True, spatial_padding_mode="zeros"), (1, 16, 4, 1, 3)),
    "2.3 blocks, zeros": (vae_config(BLOCKS_23, spatial_padding_mode="zeros"), (1, 16, 3, 3, 5)),
    "2.3 blocks, causal, replicate": (
        vae_config(BLOCKS_23, causal_decoder=True, spatial_padding_mode="replicate", latent=12),
        (1, 12, 2, 4, 1),
    ),
    "2.3 blocks, circular": (vae_config(BLOCKS_23, spatial_padding_mode="circular"), (1, 16, 2, 2, 3)),
    "other blocks, group norm": (vae_config(WIDER, base=32, norm_layer="group_norm"), (1, 16, 2, 2, 3)),
    "other blocks, pixel norm": (vae_config(WIDER, base=16, patch_size=2), (1, 16, 3, 3, 2)),
}
ENCODERS: dict[str, tuple[Config, tuple[int, ...]]] = {
    "19B blocks, 17 frames": (vae_config(), (1, 3, 17, 96, 160)),
    "19B blocks, one frame, batch 2": (vae_config(latent=8), (2, 3, 1, 64, 32)),
    "19B blocks, reflect, per-channel variance": (
        vae_config(spatial_padding_mode="reflect", latent_log_var="per_channel"),
        (1, 3, 9, 64, 96),
    ),
    "19B blocks, 12 frames of which 9 count": (vae_config(latent_log_var="constant"), (1, 3, 12, 32, 64)),
    "2.3 blocks": (vae_config(BLOCKS_23, latent=8), (1, 3, 25, 32, 96)),
    "other blocks, group norm": (vae_config(WIDER, latent=32, norm_layer="group_norm"), (1, 3, 9, 64, 32)),
}
SMALL = (SpatialTilingConfig(96, 32), TemporalTilingConfig(24, 8))
TILED: dict[str, tuple[Config, tuple[int, ...], tuple[SpatialTilingConfig | None, TemporalTilingConfig | None]]] = {
    "19B blocks, 5x4x5 in tiles of 3": (vae_config(base=4), (1, 16, 5, 4, 5), SMALL),
    "19B blocks, high": (vae_config(base=4), (1, 16, 2, 7, 3), SMALL),
    "19B blocks, space only, batch 2": (
        vae_config(base=4),
        (2, 16, 2, 2, 5),
        (SpatialTilingConfig(128, 64), TemporalTilingConfig(64, 24)),
    ),
    "19B blocks, time only": (vae_config(base=4), (1, 16, 9, 2, 2), (None, TemporalTilingConfig(32, 16))),
    "2.3 blocks": (
        vae_config(BLOCKS_23, base=4, spatial_padding_mode="zeros"),
        (1, 16, 5, 4, 2),
        (SpatialTilingConfig(64, 32), TemporalTilingConfig(16, 8)),
    ),
    "2.3 blocks, no overlap": (
        vae_config(BLOCKS_23, base=4, spatial_padding_mode="replicate"),
        (1, 16, 3, 3, 4),
        (SpatialTilingConfig(64, 0), TemporalTilingConfig(16, 0)),
    ),
}


def ours(tiling: tuple[SpatialTilingConfig | None, TemporalTilingConfig | None]) -> TilingConfig:
    space, time = tiling
    return TilingConfig(
        tile_pixels=space.tile_size_in_pixels if space else None,
        overlap_pixels=space.tile_overlap_in_pixels if space else 0,
        tile_frames=time.tile_size_in_frames if time else None,
        overlap_frames=time.tile_overlap_in_frames if time else 0,
    )


@pytest.mark.parametrize("name", DECODERS)
def test_decoder(name: str, tmp_path: Path, check: Check) -> None:
    config, shape = DECODERS[name]
    official, path = random_decoder(config, tmp_path / "vae.safetensors", seed=len(name))
    latent = noise(*shape)
    video = VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32).decode(mx.array(latent))
    check("VAE decoder", name, video, run(official, latent), 1e-5)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.filterwarnings("ignore")
def test_encoder(name: str, tmp_path: Path, check: Check) -> None:
    config, shape = ENCODERS[name]
    official, path = random_encoder(config, tmp_path / "vae.safetensors", seed=len(name))
    video = noise(*shape)
    latent = VideoEncoder.from_checkpoint(Checkpoint(path), mx.float32).encode(mx.array(video))
    check("VAE encoder", name, latent, run(official, video), 1e-5)


@pytest.mark.parametrize("name", TILED)
def test_tiled_decoder(name: str, tmp_path: Path, check: Check) -> None:
    config, shape, tiling = TILED[name]
    official, path = random_decoder(config, tmp_path / "vae.safetensors", seed=len(name))
    latent = noise(*shape)
    reference = tiled_decode(official, latent, OfficialTiling(*tiling))
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)
    chunks = list(decode_chunks(decoder, mx.array(latent), ours(tiling)))
    video = mx.moveaxis(mx.concatenate(chunks, axis=1), -1, 1)
    assert video.shape[2] == 8 * (shape[2] - 1) + 1
    check("VAE decoder, tiled", name, video, reference, 1e-5)
    whole = run(official, latent)
    assert np.linalg.norm(reference - whole) > 1e-3 * np.linalg.norm(whole), "the tiles make no difference here"


def test_frames_are_those_of_the_official_export(tmp_path: Path) -> None:
    config, shape, tiling = TILED["19B blocks, high"]
    official, path = random_decoder(config, tmp_path / "vae.safetensors")
    latent = noise(*shape)
    with torch.no_grad():
        reference = list(decode_video(torch.from_numpy(latent), official, OfficialTiling(*tiling)))
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)
    frames = list[Frames]()
    decode_frames(decoder, mx.array(latent), frames.append, ours(tiling))
    assert [len(chunk) for chunk in frames] == [len(chunk) for chunk in reference]
    difference = np.concatenate(frames).astype(int) - torch.cat(reference).numpy().astype(int)
    assert np.abs(difference).max() <= 1
    assert (difference == 0).mean() > 0.999


SIZES = [
    (4, 16, 24), (16, 32, 48), (16, 16, 24), (15, 17, 9), (1, 1, 1), (8, 16, 16), (9, 16, 17), (4, 18, 32),
    (33, 5, 90), (2, 40, 7), (12, 34, 34), (13, 3, 64),
]  # fmt: skip
TILINGS: list[tuple[SpatialTilingConfig | None, TemporalTilingConfig | None]] = [
    (OfficialTiling.default().spatial_config, OfficialTiling.default().temporal_config),
    SMALL,
    (SpatialTilingConfig(256, 192), TemporalTilingConfig(64, 48)),
    (SpatialTilingConfig(64, 0), TemporalTilingConfig(16, 0)),
    (None, TemporalTilingConfig(80, 24)),
    (SpatialTilingConfig(768, 64), None),
]


@pytest.fixture(scope="module")
def official_decoder(tmp_path_factory: pytest.TempPathFactory) -> OfficialDecoder:
    return random_decoder(vae_config(base=1, latent=4), tmp_path_factory.mktemp("vae") / "vae.safetensors")[0]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("tiling", TILINGS, ids=range(len(TILINGS)))
def test_tiles_and_weights(size: tuple[int, int, int], tiling: Any, official_decoder: OfficialDecoder) -> None:
    latent = torch.zeros(1, 4, *size, device="meta")
    official = official_decoder._prepare_tiles(latent, OfficialTiling(*tiling))
    made = grid(size, (8, 32, 32), ours(tiling))
    tiles = list(itertools.product(made.time, made.height, made.width))
    assert len(tiles) == len(official)
    totals: list[dict[int, float]] = [{}, {}, {}]
    seen: list[set[tuple[int, int]]] = [set(), set(), set()]
    for tile in official:  # the official weights are divided by their sum only after all tiles are added up
        for axis in range(3):
            where, mask = tile.out_coords[2 + axis], tile.masks_1d[2 + axis]
            if mask is None or (where.start, where.stop) in seen[axis]:
                continue
            seen[axis].add((where.start, where.stop))
            for offset, weight in enumerate(mask.tolist()):
                totals[axis][where.start + offset] = totals[axis].get(where.start + offset, 0) + weight
    compared: set[tuple[int, int]] = set()
    for tile, axes in zip(official, tiles, strict=True):
        for axis in range(3):
            placement, span = axes[axis].placement, axes[axis].span
            assert tile.in_coords[2 + axis] == slice(span.start, span.stop)
            if (axis, span.start) in compared:
                continue
            compared.add((axis, span.start))
            mask = tile.masks_1d[2 + axis]
            if mask is None:
                assert (placement.weights == 1).all()
                continue
            assert tile.out_coords[2 + axis] == slice(placement.start, placement.stop)
            total = [totals[axis][index] for index in range(placement.start, placement.stop)]
            np.testing.assert_allclose(placement.weights, mask.numpy() / np.maximum(total, 1e-8), atol=2e-6)


def test_the_default_tiling_is_the_official_one() -> None:
    default = OfficialTiling.default()
    assert ours((default.spatial_config, default.temporal_config)) == OFFICIAL


@pytest.mark.parametrize("name", ["19B blocks, one frame, batch 2", "2.3 blocks, zeros", "other blocks, pixel norm"])
def test_decoder_in_bfloat16(name: str, tmp_path: Path, check_bf16: Check) -> None:
    config, shape = DECODERS[name]
    shape = (1, shape[1], min(shape[2], 2), 2, 2)
    official, path = random_decoder(config, tmp_path / "vae.safetensors", dtype=torch.bfloat16)
    latent = noise(*shape)
    rounded = torch.from_numpy(latent).bfloat16().float().numpy()
    torch_out = run(official, latent, dtype=torch.bfloat16)
    reference = run(official.float(), rounded)
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.bfloat16)
    video = decoder.decode(mx.array(rounded).astype(mx.bfloat16)).astype(mx.float32)
    check_bf16("VAE decoder", name, video, torch_out, reference)


def test_encoder_in_bfloat16(tmp_path: Path, check_bf16: Check) -> None:
    official, path = random_encoder(vae_config(latent=8), tmp_path / "vae.safetensors", dtype=torch.bfloat16)
    video = torch.from_numpy(noise(1, 3, 9, 64, 64)).bfloat16().float().numpy()
    torch_out = run(official, video, dtype=torch.bfloat16)
    reference = run(official.float(), video)
    latent = VideoEncoder.from_checkpoint(Checkpoint(path), mx.bfloat16).encode(mx.array(video).astype(mx.bfloat16))
    check_bf16("VAE encoder", "19B blocks", latent, torch_out, reference)
