"""Overlapping tiles blended with trapezoidal weights: which cells each one decodes, and what it counts where.

Official: ltx_core.model.video_vae.tiling. The tiles form a grid, so the sum of all blending weights at a pixel is a
product of one sum per axis: the weights are divided by it beforehand, axis by axis, and the accumulated video needs no
division.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ltxbench.errors import UsageError
from ltxbench.model.vae.config import Stride

Weights = npt.NDArray[np.float32]


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
