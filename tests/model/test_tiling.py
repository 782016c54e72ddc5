from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import UsageError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.vae import (
    OFFICIAL,
    PerChannelStatistics,
    TilingConfig,
    VideoDecoder,
    decode_chunks,
    decode_frames,
    decode_video,
    to_uint8,
)
from ltxbench.model.vae.config import DecoderConfig
from ltxbench.model.vae.decoder import Decoder
from ltxbench.model.vae.decoding import Frames, InvalidFrames
from ltxbench.model.vae.tiling import Span, Tile, grid, place_frames, spans, temporal_spans, trapezoid
from tests.model.seeded import Stored, noise

SCALE = (8, 32, 32)
SMALL_TILES = TilingConfig(96, 32, 24, 8)


@pytest.fixture(scope="module")
def decoder() -> VideoDecoder:
    blocks = [["res_x", 1], ["compress_all", {}], ["compress_all", {"multiplier": 2}], ["compress_all", {}]]
    config = DecoderConfig.from_json(
        {"latent_channels": 4, "decoder_base_channels": 1, "decoder_blocks": blocks}, source="file"
    )
    return VideoDecoder(config, Decoder(config), PerChannelStatistics(4))


def frames_of(decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None) -> list[Frames]:
    taken = list[Frames]()
    decode_frames(decoder, latent, taken.append, tiling)
    return taken


def cells(axis: list[Tile]) -> list[tuple[int, int]]:
    return [(tile.span.start, tile.span.stop) for tile in axis]


@pytest.mark.parametrize("name", ["19b", "23"])
def test_tiled_decoding_equals_the_stored_official_output(name: str, tmp_path: Path) -> None:
    stored = Stored.read(f"vae_decoder_{name}.safetensors")
    path = stored.checkpoint(tmp_path / "vae.safetensors")
    decoder = VideoDecoder.from_checkpoint(Checkpoint(path), mx.float32)
    latent = mx.array(noise(*stored.inputs["long"]))
    chunks = list(decode_chunks(decoder, latent, SMALL_TILES))
    assert [chunk.shape[1] for chunk in chunks] == [8, 25]
    assert stored.error("tiled", mx.moveaxis(mx.concatenate(chunks, axis=1), -1, 1)) < 1e-5


def test_a_768x512_video_of_25_frames_is_four_tiles() -> None:
    tiles = grid((4, 16, 24), SCALE, OFFICIAL)
    assert cells(tiles.time) == [(0, 4)]
    assert cells(tiles.height) == [(0, 11), (9, 16)]
    assert cells(tiles.width) == [(0, 16), (14, 24)]


def test_a_1536x1024_video_of_121_frames_is_48_tiles() -> None:
    tiles = grid((16, 32, 48), SCALE, OFFICIAL)
    assert len(tiles.time) * len(tiles.height) * len(tiles.width) == 48


def test_later_tiles_in_time_start_one_cell_earlier() -> None:
    assert [(span.start, span.stop) for span in temporal_spans(15, 8, 3)] == [(0, 8), (4, 13), (9, 15)]


def test_the_extra_cell_only_makes_the_ramp_longer() -> None:
    placement = place_frames(Span(4, 13, rise=4, fall=3), 8)
    assert (placement.start, placement.stop) == (32, 97)
    assert placement.weights[:25].tolist() == pytest.approx(np.arange(25) / 25)
    assert placement.weights[25:41].tolist() == [1.0] * 16
    assert placement.weights[41:].tolist() == pytest.approx(np.arange(24, 0, -1) / 25)


def test_ramps_in_space_never_reach_zero() -> None:
    assert trapezoid(7, 3, 1).tolist() == [0.25, 0.5, 0.75, 1, 1, 1, 0.5]


@given(st.integers(1, 200), st.integers(2, 32), st.integers(0, 31))
def test_spans_cover_the_axis_and_share_the_overlap(cells: int, tile: int, overlap: int) -> None:
    overlap = min(overlap, tile - 1)
    made = spans(cells, tile, overlap)
    assert made[0].start == 0
    assert made[-1].stop == cells
    assert all(span.stop - span.start <= tile for span in made)
    assert all(before.stop - after.start == overlap for before, after in pairwise(made))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 24), st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(2, 16), st.integers(0, 15), st.integers(2, 8), st.integers(0, 7)),
)
def test_every_pixel_gets_weights_that_add_up_to_one(
    size: tuple[int, int, int], tiling: tuple[int, int, int, int]
) -> None:
    tile, overlap, tile_time, overlap_time = tiling
    config = TilingConfig(32 * tile, 32 * min(overlap, tile - 1), 8 * tile_time, 8 * min(overlap_time, tile_time - 1))
    tiles = grid(size, SCALE, config)
    for axis, length in (
        (tiles.time, 8 * (size[0] - 1) + 1),
        (tiles.height, 32 * size[1]),
        (tiles.width, 32 * size[2]),
    ):
        total = np.zeros(length)
        for tile_ in axis:
            assert len(tile_.placement.weights) == tile_.placement.stop - tile_.placement.start
            total[tile_.placement.start : tile_.placement.stop] += tile_.placement.weights
        np.testing.assert_allclose(total, 1, rtol=1e-6)


@pytest.mark.parametrize("latent_frames", [1, 2, 3, 4, 7])
def test_chunks_hold_every_frame_once(decoder: VideoDecoder, latent_frames: int) -> None:
    latent = mx.array(noise(1, 4, latent_frames, 2, 3))
    chunks = frames_of(decoder, latent, TilingConfig(64, 32, 16, 8))
    assert sum(len(chunk) for chunk in chunks) == 8 * (latent_frames - 1) + 1
    assert {chunk.shape[1:] for chunk in chunks} == {(64, 96, 3)}
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.uint8)}


def test_a_video_is_its_chunks_one_after_the_other(decoder: VideoDecoder) -> None:
    latent, tiling = mx.array(noise(1, 4, 5, 2, 3)), TilingConfig(64, 32, 16, 8)
    chunks = frames_of(decoder, latent, tiling)
    assert len(chunks) > 1
    assert np.array_equal(decode_video(decoder, latent, tiling), np.concatenate(chunks))
    assert np.array_equal(decode_video(decoder, latent, None), to_uint8(decoder.decode(latent)))


@pytest.mark.parametrize("tiling", [OFFICIAL, TilingConfig(tile_pixels=None, tile_frames=None), None])
def test_a_latent_smaller_than_a_tile_is_decoded_in_one_piece(
    decoder: VideoDecoder, tiling: TilingConfig | None
) -> None:
    latent = mx.array(noise(1, 4, 2, 2, 3))
    (frames,) = frames_of(decoder, latent, tiling)
    assert np.array_equal(frames, to_uint8(decoder.decode(latent)))


def test_tiles_of_a_constant_video_leave_no_seams(decoder: VideoDecoder) -> None:
    decoder = VideoDecoder(decoder.config, Decoder(decoder.config), decoder.statistics)
    decoder.network.conv_out.conv.weight = mx.zeros_like(decoder.network.conv_out.conv.weight)
    decoder.network.conv_out.conv.bias = mx.full(48, 0.25)
    chunks = list(decode_chunks(decoder, mx.array(noise(1, 4, 4, 2, 3)), TilingConfig(64, 32, 16, 8)))
    np.testing.assert_allclose(mx.concatenate(chunks, axis=1), 0.25, rtol=1e-6)


def test_tiles_take_less_memory_than_one_piece(decoder: VideoDecoder) -> None:
    def peak_bytes(tiling: TilingConfig | None) -> int:
        mx.clear_cache()
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        decode_frames(decoder, latent, lambda frames: None, tiling)
        return mx.get_peak_memory() - before

    latent = mx.array(noise(1, 4, 5, 3, 3))
    mx.eval(latent, decoder.network.parameters())
    assert peak_bytes(TilingConfig(64, 32, 16, 8)) < 0.6 * peak_bytes(None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tile_pixels": 32}, "tile_pixels is 32, expected a multiple of 32 and at least 64"),
        ({"tile_pixels": 100}, "tile_pixels is 100"),
        ({"overlap_pixels": 512}, "overlap_pixels is 512, expected a multiple of 32 smaller than the tile's 512"),
        ({"overlap_pixels": -32}, "overlap_pixels is -32"),
        ({"tile_frames": 8}, "tile_frames is 8, expected a multiple of 8 and at least 16"),
        ({"overlap_frames": 12}, "overlap_frames is 12"),
    ],
)
def test_tiles_that_do_not_fit_the_latent_are_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TilingConfig(**fields)


def test_only_one_video_is_decoded_to_frames(decoder: VideoDecoder) -> None:
    with pytest.raises(UsageError, match=r"\(2, 4, 1, 2, 2\), expected one sample"):
        frames_of(decoder, mx.zeros((2, 4, 1, 2, 2)), OFFICIAL)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_ends_decoding_with_the_frame_where_it_began(decoder: VideoDecoder, value: float) -> None:
    values = noise(1, 4, 9, 2, 2)
    values[:, :, -1] = value
    taken = list[Frames]()
    with pytest.raises(InvalidFrames, match=r"NaN or infinity, from frame \d+ on") as caught:
        decode_frames(decoder, mx.array(values), taken.append, TilingConfig(64, 32, 16, 8))
    assert 0 < caught.value.frame < 65
    assert sum(map(len, taken)) <= caught.value.frame
