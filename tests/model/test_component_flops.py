"""The arithmetic stated for text encoding and decoding is what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.connector import Connector, ConnectorConfig
from ltxbench.model.features import FeatureExtractor
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.text_flops import gemma_flops, projection_flops
from ltxbench.model.vae import PerChannelStatistics, TilingConfig, VideoDecoder, decode_video
from ltxbench.model.vae.config import DecoderConfig
from ltxbench.model.vae.decoder import Decoder
from ltxbench.model.vae.flops import decode_flops
from tests.model.counting import count
from tests.model.text_inputs import gemma_config, save_gemma, tokens

BLOCKS: dict[str, list[Any]] = {
    "19b": [["res_x", 2], ["compress_all", {"residual": True, "multiplier": 2}], ["res_x", 1]],
    "strides": [["compress_time", {}], ["compress_space", {"multiplier": 2}], ["res_x", 1], ["compress_all", {}]],
    "widths": [["res_x_y", {"multiplier": 2}], ["compress_space", {}]],
}
TILES = {"whole": None, "tiled": TilingConfig(tile_pixels=64, overlap_pixels=32)}


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("tiles", TILES)
def test_decoding_takes_the_operations_that_are_stated(
    blocks: str, tiles: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DecoderConfig.from_json(
        {"latent_channels": 4, "decoder_base_channels": 1, "decoder_blocks": BLOCKS[blocks]}, source="file"
    )
    decoder = VideoDecoder(config, Decoder(config), PerChannelStatistics(4))
    cells = (3, 17, 10)
    counter = count(monkeypatch)
    decode_video(decoder, mx.zeros((1, 4, *cells)), TILES[tiles])
    assert decode_flops(config, cells, TILES[tiles]) == counter.flops


def test_the_19b_decodes_a_second_with_these_operations() -> None:
    config = DecoderConfig.from_json({"decoder_base_channels": 128}, source="file")
    assert decode_flops(config, (4, 16, 24), None) / 1e12 == pytest.approx(12.96, abs=0.005)


def test_gemma_takes_the_operations_that_are_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder.load(save_gemma(tmp_path, gemma_config()), mx.float32)
    ids, mask = tokens(20, [20])
    counter = count(monkeypatch)
    for _ in encoder.hidden_states(mx.array(ids), mx.array(mask)):
        pass
    assert gemma_flops(encoder.config, 20) == counter.flops


def test_projecting_takes_the_operations_that_are_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ConnectorConfig(layers=2, registers=8, heads=2, head_dim=16)
    features, connector = FeatureExtractor(96, config.dim), Connector(config)
    counter = count(monkeypatch)
    states = mx.array(np.ones((1, 10, 96), np.float32))
    connector(features(states), mx.ones((1, 10), mx.int32), 16)
    assert projection_flops(config, 96, 10, 16) == counter.flops
