"""Decoding in overlapping tiles that are blended with trapezoidal weights, in bounded memory.

Official: ltx_core.model.video_vae.{tiling,video_vae} (`VideoDecoder.tiled_decode`, `decode_video`). The tiles form a
grid, so the sum of all blending weights at a pixel is a product of one sum per axis: the weights are divided by it
beforehand, axis by axis, and the accumulated video needs no division.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.errors import LtxbenchError, UsageError
from ltxbench.model.device_queue import DeviceQueue
from ltxbench.model.vae.config import Stride
from ltxbench.model.vae.decoder import VideoDecoder

Weights = npt.NDArray[np.float32]


class InvalidFrames(LtxbenchError):
    """The decoder yielded NaN or infinity; `frame`, counted from 0, is the first that holds some."""

    def __init__(self, frame: int) -> None:
        super().__init__(f"decoding made NaN or infinity, from frame {frame} on", hint="The weights may be damaged.")
        self.frame = frame


@dataclass(frozen=True)
class TilingConfig:
    """Sizes in the decoded video's units, None: this kind of axis is not divided.

    The tile spans `tile_pixels` of the video's longer side and the same share of the shorter one.
    """

    tile_pixels: int | None = 512
    overlap_pixels: int = 64
    tile_frames: int | None = 64
    overlap_frames: int = 24

    def __post_init__(self) -> None:
        _check("pixels", self.tile_pixels, self.overlap_pixels, smallest=64, unit=32)
        _check("frames", self.tile_frames, self.overlap_frames, smallest=16, unit=8)


def _check(name: str, tile: int | None, overlap: int, *, smallest: int, unit: int) -> None:
    if tile is None:
        return
    if tile < smallest or tile % unit:
        raise UsageError(f"tile_{name} is {tile}, expected a multiple of {unit} and at least {smallest}")
    if not 0 <= overlap < tile or overlap % unit:
        raise UsageError(f"overlap_{name} is {overlap}, expected a multiple of {unit} smaller than the tile's {tile}")


OFFICIAL = TilingConfig()


@dataclass(frozen=True)
class Span:
    """One tile along one axis: latent cells [start, stop), and over how many of them its weight rises and falls."""

    start: int
    stop: int
    rise: int = 0
    fall: int = 0


@dataclass(frozen=True)
class Placement:
    """One tile along one axis of the output: pixels or frames [start, stop), and what each of them counts."""

    start: int
    stop: int
    weights: Weights


def spans(cells: int, tile: int, overlap: int) -> list[Span]:
    """Divides an axis of `cells` latent cells into tiles of `tile`, neighbours sharing `overlap`."""
    if cells <= tile:
        return [Span(0, cells)]
    step = tile - overlap
    count = -(-(cells - overlap) // step)
    return [
        Span(
            start=index * step,
            stop=index * step + tile if index < count - 1 else cells,
            rise=overlap if index else 0,
            fall=overlap if index < count - 1 else 0,
        )
        for index in range(count)
    ]


def temporal_spans(cells: int, tile: int, overlap: int) -> list[Span]:
    """As `spans`, but each tile except the first starts a cell earlier: its first cell decodes to one frame only."""
    first, *rest = spans(cells, tile, overlap)
    return [first, *(Span(span.start - 1, span.stop, span.rise + 1, span.fall) for span in rest)]


def trapezoid(length: int, rise: int, fall: int, *, from_zero: bool = False) -> Weights:
    """Ones with linear ramps strictly between 0 and 1 at both ends; `from_zero`: the left one starts with 0."""
    rise, fall = min(rise, length), min(fall, length)
    weights = np.ones(length)
    if rise:
        weights[:rise] *= np.linspace(0, 1, rise + (1 if from_zero else 2))[:-1][-rise:]
    if fall:
        weights[-fall:] *= np.linspace(1, 0, fall + 2)[1:-1]
    return weights.astype(np.float32)


def place_pixels(span: Span, scale: int) -> Placement:
    start, stop = span.start * scale, span.stop * scale
    return Placement(start, stop, trapezoid(stop - start, span.rise * scale, span.fall * scale))


def place_frames(span: Span, scale: int) -> Placement:
    """n cells are scale*(n-1)+1 frames; the rise covers its first cell's single frame and the others' whole."""
    start, stop = span.start * scale, (span.stop - 1) * scale + 1
    rise = (span.rise - 1) * scale + 1 if span.rise else 0
    return Placement(start, stop, trapezoid(stop - start, rise, span.fall * scale, from_zero=True))


@dataclass(frozen=True)
class Tile:
    """One axis: the cells to decode, and where their output goes with weights that add up to 1 over all tiles."""

    span: Span
    placement: Placement


@dataclass(frozen=True)
class Grid:
    """The tiles of each axis; all their combinations are decoded."""

    time: list[Tile]
    height: list[Tile]
    width: list[Tile]


def grid(cells: tuple[int, int, int], scale: Stride, tiling: TilingConfig | None) -> Grid:
    """Divides a latent of `cells` (F, H, W), each cell being `scale` frames, rows and columns."""
    frames, height, width = cells
    divided = [[Span(0, size)] for size in cells]
    if tiling is not None and tiling.tile_frames is not None:
        divided[0] = temporal_spans(frames, tiling.tile_frames // scale[0], tiling.overlap_frames // scale[0])
    if tiling is not None and tiling.tile_pixels is not None:
        for axis in (1, 2):
            tile, overlap = tiling.tile_pixels // scale[axis], tiling.overlap_pixels // scale[axis]
            share = round(tile * cells[axis] / max(height, width))
            divided[axis] = spans(cells[axis], max(share, overlap + 1, 2), overlap)
    return Grid(
        time=_weighted([(span, place_frames(span, scale[0])) for span in divided[0]]),
        height=_weighted([(span, place_pixels(span, scale[1])) for span in divided[1]]),
        width=_weighted([(span, place_pixels(span, scale[2])) for span in divided[2]]),
    )


def _weighted(axis: list[tuple[Span, Placement]]) -> list[Tile]:
    total = np.zeros(axis[-1][1].stop, np.float32)
    for _, place in axis:
        total[place.start : place.stop] += place.weights
    total = np.maximum(total, 1e-8)
    return [
        Tile(span, Placement(place.start, place.stop, place.weights / total[place.start : place.stop]))
        for span, place in axis
    ]


def decode_chunks(decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None) -> Iterator[mx.array]:
    """Normalised latent [B,C,F,H,W] -> finished frames [B,f,height,width,3] in time order, float32.

    Holds one row of tiles' video, what it shares with the next, and one tile's activations.
    """
    cells = (latent.shape[2], latent.shape[3], latent.shape[4])
    tiles = grid(cells, decoder.scale, tiling)
    shared: mx.array | None = None  # the previous chunk's share in the frames that it has in common with this one
    for time, following in pairwise([*tiles.time, None]):
        assert time is not None
        chunk = _decode_row(decoder, latent, tiles, time)
        if shared is not None:
            chunk = chunk.at[:, : shared.shape[1]].add(shared)
        if following is None:
            yield chunk
            return
        done = following.placement.start - time.placement.start
        shared = mx.contiguous(chunk[:, done:])
        finished = chunk[:, :done]
        mx.eval(shared, finished)
        del chunk
        yield finished
        del finished


def _decode_row(decoder: VideoDecoder, latent: mx.array, tiles: Grid, time: Tile) -> mx.array:
    """All tiles of one stretch of time, weighted and added up. A single tile is returned as it is decoded."""
    part = latent[:, :, time.span.start : time.span.stop]
    over_time = mx.array(time.placement.weights).reshape(-1, 1, 1, 1)
    if len(tiles.height) == len(tiles.width) == 1:
        video = decoder.decode_channels_last(part).astype(mx.float32)
        return video * over_time if len(tiles.time) > 1 else video
    size = (tiles.height[-1].placement.stop, tiles.width[-1].placement.stop)
    frames = time.placement.stop - time.placement.start
    chunk = mx.zeros((latent.shape[0], frames, *size, decoder.config.out_channels))
    queue = DeviceQueue()
    for row, column in product(tiles.height, tiles.width):
        cells = part[:, :, :, row.span.start : row.span.stop, column.span.start : column.span.stop]
        weights = (
            over_time * mx.array(row.placement.weights)[:, None, None] * mx.array(column.placement.weights)[:, None]
        )
        video = decoder.decode_channels_last(cells).astype(mx.float32) * weights
        queue.settle(video)
        rows = slice(row.placement.start, row.placement.stop)
        columns = slice(column.placement.start, column.placement.stop)
        chunk = chunk.at[:, :, rows, columns].add(video)  # in place, where += makes a copy
        mx.async_eval(chunk)
        del video
    return chunk


def decode_frames(
    decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None = OFFICIAL
) -> Iterator[npt.NDArray[np.uint8]]:
    """Normalised latent [1,C,F,H,W] -> finished frames [f,height,width,3] in time order. None: one piece.

    Raises InvalidFrames for NaN and infinity, which as bytes would look like black or white.
    """
    if latent.ndim != 5 or latent.shape[0] != 1:
        raise UsageError(f"the latent's shape is {latent.shape}, expected one sample [1,C,F,H,W]")
    done = 0
    for chunk in decode_chunks(decoder, latent, tiling):
        frames = _finished(chunk[0], done)
        done += len(frames)
        del chunk  # or it would be held while the next one is decoded
        yield frames


def _finished(video: mx.array, before: int) -> npt.NDArray[np.uint8]:
    frames, finite = quantize(video), mx.isfinite(video).all(axis=(1, 2, 3))
    mx.eval(frames, finite)
    if not finite.all().item():
        raise InvalidFrames(before + int(np.argmin(np.array(finite))))
    return np.array(frames)


def to_uint8(video: mx.array) -> npt.NDArray[np.uint8]:
    """One video [3,F,H,W] (or [1,3,F,H,W]) in [-1,1] -> [F,H,W,3] in 0..255."""
    if video.ndim == 5 and video.shape[0] == 1:
        video = video[0]
    if video.ndim != 4:
        raise UsageError(f"the video's shape is {video.shape}, expected [3,F,H,W]")
    return np.array(quantize(mx.moveaxis(video, 0, -1)))


def quantize(video: mx.array) -> mx.array:
    """floor(255 * clamp((x + 1) / 2, 0, 1)), in float32."""
    video = video.astype(mx.float32)
    return (mx.clip((video + 1) / 2, 0, 1) * 255).astype(mx.uint8)
