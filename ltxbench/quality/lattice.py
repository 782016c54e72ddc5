"""A lattice: a pattern of one period that holds its phase over the whole frame, and from frame to frame.

Decoders built of strided layers leave such patterns where the latents are not what they were trained on. Natural
textures repeat too, but only in places, and their phase wanders. So a spectral peak counts when the amplitudes
measured separately in the tiles of every frame agree in phase:

1. The residual of a local mean, weighted by 1/(local variance + noise), is transformed: a least-squares estimate
   of every sinusoid's amplitude, in which busy regions do not drown flat ones.
2. The bins that stand highest above the median of their surroundings are candidates.
3. Each candidate is demodulated per tile. `coherence` is |mean| / mean of moduli of the tiles' amplitudes, each cut at
   twice their median, so that a few tiles cannot carry it.

A pair of candidates of one period and like strength, turned by 90 or 60 degrees, is judged less strictly.

The coherence is the mean resultant length of directional statistics (Mardia and Jupp, Directional Statistics, 2000).
Compression leaves no lattice of this kind: steps at the borders of its blocks have no common sign.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from ltxbench.quality.luma import Plane

Complex = npt.NDArray[np.complex64]
Bin = tuple[int, int]
"""Row and column of the half spectrum."""

HIGH_PASS_PX = 6.0
ACTIVITY_PX = 12.0
NOISE = 2.0
"""Grey levels. Regions quieter than this get no more weight."""
SILENT = 0.02
"""Variance below which a region is a drawn surface or a letterbox, and says nothing."""
SMALLEST_PX = 128
TILES = (4, 6)
FEWEST_TILES = 8
CANDIDATES = 48
NEIGHBOURHOOD = 16
"""Bins."""
AXIS = 3
"""Bins beside an axis that the edges of a building reach: they are never quite upright, and the window widens them."""
FEWEST_PERIODS = 3.0
"""In a tile. Patterns of longer periods are found by their harmonics."""
LEAST_PROMINENCE = 5.0
SURE_COHERENCE, SURE_PROMINENCE = 0.85, 3.0
"""Phases that agree so well need not stand as high: along the axes the edges of the scene gather."""
LEAST_COHERENCE = 0.7
"""Of noise, the best of 48 candidates in 24 tiles reaches 0.75 by chance, with a hundredth of the noise's amplitude."""
MANY_PERIODS = 5.0
LEAST_COHERENCE_LONG = 0.9
"""Below MANY_PERIODS in a tile: rows of windows and of plants hold their phase for so long."""
TURNS = (90.0, 60.0, 120.0)
"""Degrees between the waves of one lattice, square or hexagonal."""
PAIR_PROMINENCE, PARTNER_PROMINENCE = 4.0, 3.0
"""Of two waves of one period, turned against each other: the geometric mean, and the partner's. They need not stand as
high, nor agree in phase for as long, as a single one: a scene has such pairs by chance only."""
PAIR_EVENNESS = 0.5
"""The lesser amplitude over the other."""
SUBBINS = (-0.5, -0.25, 0.0, 0.25, 0.5)


@dataclass(frozen=True)
class Peak:
    period_x_px: float | None
    """None: does not change along x."""
    period_y_px: float | None
    amplitude: float
    """Grey levels."""
    rms: float
    prominence: float
    """Height above the median of its surroundings, as a factor."""
    coherence: float
    """0 to 1."""

    @property
    def period_px(self) -> float:
        """Across the wave's crests."""
        return 1 / math.hypot(*(1 / period for period in (self.period_x_px, self.period_y_px) if period))


def peaks(planes: Plane) -> list[Peak]:
    """Of luma [F,H,W] in grey levels, the strongest first. Frames smaller than 128 px have none."""
    _, height, width = planes.shape
    if min(height, width) < SMALLEST_PX:
        return []
    signals, weights = _weighted_residuals(planes)
    tile_weights = _tiles(weights)
    if (tile_weights > 0).sum() < FEWEST_TILES * len(planes):
        return []
    spectrum = fft.rfft2(signals.sum(axis=0), workers=1)
    magnitude = np.abs(spectrum).astype(np.float32)
    prominence = magnitude / (_surroundings(magnitude) + 1e-12)
    candidates = _candidates(magnitude, prominence, height, width)
    pairs = _pairs(candidates, prominence, height, width)
    bins = list(dict.fromkeys([*candidates, *itertools.chain.from_iterable(pairs)]))
    rows, columns = [row for row, _ in bins], [column for _, column in bins]
    found = {
        (row, column): _peak(tile_sums, tile_weights, row, column, float(prominence[row, column]), height, width)
        for row, column, tile_sums in zip(rows, columns, _demodulated(signals, rows, columns), strict=True)
    }
    tile_px = _tile_px(height, width)
    counted = {place for place in candidates if _counts(found[place], tile_px)}
    counted.update(
        itertools.chain.from_iterable(pair for pair in pairs if _counts_as_pair(*(found[one] for one in pair)))
    )
    return [found[place] for place in _apart(sorted(counted, key=lambda place: -found[place].rms), height)]


def rms(found: list[Peak]) -> float:
    """The whole pattern's root mean square, in grey levels."""
    return float(np.sqrt(sum(peak.rms**2 for peak in found)))


def _tile_px(height: int, width: int) -> float:
    return min(height / TILES[0], width / TILES[1])


def _counts(peak: Peak, tile_px: float) -> bool:
    least = LEAST_COHERENCE if tile_px / peak.period_px >= MANY_PERIODS else LEAST_COHERENCE_LONG
    sure = peak.coherence >= max(least, SURE_COHERENCE)
    return peak.coherence >= least and peak.prominence >= (SURE_PROMINENCE if sure else LEAST_PROMINENCE)


def _counts_as_pair(one: Peak, other: Peak) -> bool:
    return (
        math.sqrt(one.prominence * other.prominence) >= PAIR_PROMINENCE
        and (one.coherence + other.coherence) / 2 >= LEAST_COHERENCE
        and min(one.amplitude, other.amplitude) >= PAIR_EVENNESS * max(one.amplitude, other.amplitude)
    )


def _apart(places: list[Bin], height: int) -> list[Bin]:
    """Without those beside an earlier one: the same wave."""
    kept: list[Bin] = []
    for row, column in places:
        if all(abs(column - x) > 1 or (row - y + 1) % height > 2 for y, x in kept):
            kept.append((row, column))
    return kept


def _pairs(candidates: list[Bin], prominence: Plane, height: int, width: int) -> list[tuple[Bin, Bin]]:
    """Candidates with the most prominent bin at their frequency turned by TURNS, where that stands out at all."""
    found: list[tuple[Bin, Bin]] = []
    for row, column in candidates:
        down, across = (row if row <= height // 2 else row - height) / height, column / width
        for degrees in TURNS:
            sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
            turned = (cosine * down - sine * across, sine * down + cosine * across)
            if max(map(abs, turned)) > 0.5:
                continue
            partner = _highest(prominence, turned, height, width)
            if partner != (row, column) and prominence[partner] >= PARTNER_PROMINENCE:
                found.append(((row, column), partner))
    return found


def _highest(prominence: Plane, frequency: tuple[float, float], height: int, width: int) -> Bin:
    """The most prominent bin around a frequency (down, across), or around its conjugate where that is stored."""
    down, across = frequency if frequency[1] >= 0 else (-frequency[0], -frequency[1])
    row, column = round(down * height), round(across * width)
    around = [((row + y) % height, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if 0 <= column + x <= width // 2]
    row, column = max(around, key=lambda place: prominence[place])
    return (min(row, height - row), 0) if column == 0 else (row, column)


def _weighted_residuals(planes: Plane) -> tuple[Plane, Plane]:
    """weight * residual and weight, [F,H,W] each."""
    from scipy.signal import windows  # as in mesh

    _, height, width = planes.shape
    window = np.outer(windows.tukey(height, 0.5), windows.tukey(width, 0.5)).astype(np.float32)
    residual = planes - ndimage.gaussian_filter(planes, (0, HIGH_PASS_PX, HIGH_PASS_PX), truncate=3)
    variance = ndimage.gaussian_filter(residual**2, (0, ACTIVITY_PX, ACTIVITY_PX), truncate=2)
    weights = np.where(variance > SILENT, window / (variance + np.float32(NOISE**2)), np.float32(0))
    return weights * residual, weights


def _edges(length: int, parts: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, length, parts + 1).astype(np.intp)


def _tiles(values: Plane) -> npt.NDArray[np.float64]:
    """Sums of [F,H,W] over tiles, [F,*TILES]."""
    rows, columns = (_edges(length, parts)[:-1] for length, parts in zip(values.shape[1:], TILES, strict=True))
    return np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=1), columns, axis=2)


def _surroundings(magnitude: Plane) -> Plane:
    """The median of each bin's surroundings; near the axes, where edges gather, of its neighbours in line if higher."""
    shifted = np.fft.fftshift(magnitude, axes=0)
    rows, columns = shifted.shape
    padded = np.pad(shifted, ((0, -rows % NEIGHBOURHOOD), (0, -columns % NEIGHBOURHOOD)), mode="reflect")
    cells = padded.reshape(padded.shape[0] // NEIGHBOURHOOD, NEIGHBOURHOOD, -1, NEIGHBOURHOOD)
    medians = np.median(cells, axis=(1, 3))
    level = medians.repeat(NEIGHBOURHOOD, axis=0).repeat(NEIGHBOURHOOD, axis=1)[:rows, :columns].copy()
    for row in range(rows // 2 - AXIS, rows // 2 + AXIS + 1):
        level[row] = _in_line(shifted[row], level[row], "reflect")
    for column in range(AXIS + 1):
        level[:, column] = _in_line(shifted[:, column], level[:, column], "wrap")
    surroundings: Plane = np.fft.ifftshift(level, axes=0)
    return surroundings


def _in_line(line: Plane, level: Plane, mode: Literal["reflect", "wrap"]) -> Plane:
    median: Plane = np.maximum(level, ndimage.median_filter(line, 2 * NEIGHBOURHOOD + 1, mode=mode))
    return median


def _candidates(magnitude: Plane, prominence: Plane, height: int, width: int) -> list[Bin]:
    """The most prominent local maxima."""
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None])
    maximal = magnitude >= ndimage.maximum_filter(magnitude, 3, mode="wrap")
    eligible = np.where(maximal & (frequency * _tile_px(height, width) >= FEWEST_PERIODS), prominence, 0).ravel()
    eligible.reshape(prominence.shape)[height // 2 + 1 :, 0] = 0  # there a bin and its conjugate are both stored
    order = np.argpartition(eligible, -CANDIDATES)[-CANDIDATES:]
    rows, columns = np.unravel_index(order[eligible[order] > 0], prominence.shape)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _demodulated(signals: Plane, rows: list[int], columns: list[int]) -> npt.NDArray[np.complex128]:
    """Sum of signal * exp(-i 2 pi f x) over each tile, [candidate, F, *TILES]."""
    count, height, width = signals.shape
    along_y = np.exp(-2j * np.pi * np.outer(np.array(rows) / height, np.arange(height))).astype(np.complex64)
    along_x = np.exp(-2j * np.pi * np.outer(np.array(columns) / width, np.arange(width))).astype(np.complex64)
    y_edges, x_edges = (_edges(length, parts) for length, parts in zip((height, width), TILES, strict=True))
    sums = np.empty((len(rows), count, *TILES), np.complex128)
    for frame in range(count):
        for tile, (start, stop) in enumerate(itertools.pairwise(y_edges)):
            bands = _product(along_y[:, start:stop], signals[frame, start:stop]) * along_x
            sums[:, frame, tile] = np.add.reduceat(bands, x_edges[:-1], axis=1)
    return sums


def _product(factors: Complex, plane: Plane) -> Complex:
    """Two real products: half the work of a complex one."""
    product: Complex = (factors.real @ plane) + np.complex64(1j) * (factors.imag @ plane)
    return product


def _peak(
    sums: npt.NDArray[np.complex128],
    weights: npt.NDArray[np.float64],
    row: int,
    column: int,
    prominence: float,
    height: int,
    width: int,
) -> Peak:
    usable = weights > 0.1 * np.median(weights[weights > 0])
    local = np.where(usable, sums / np.where(usable, weights, 1), 0)
    moduli = np.abs(local)
    cut = local * np.minimum(1, 2 * np.median(moduli[usable]) / np.maximum(moduli, 1e-12))
    mean_modulus = float(np.abs(cut).sum() / usable.sum())
    mean = float(max(abs((cut * shift).sum()) for shift in _SHIFTS) / usable.sum())
    frequency_y = (row if row <= height // 2 else row - height) / height
    frequency_x = column / width
    real = all(
        min(frequency % 0.5, -frequency % 0.5) * length < 0.75
        for frequency, length in ((abs(frequency_y), height), (frequency_x, width))
    )
    gain = 1 - np.exp(-2 * (np.pi * HIGH_PASS_PX) ** 2 * (frequency_y**2 + frequency_x**2))
    amplitude = float(mean * (1 if real else 2) / gain)
    return Peak(
        period_x_px=1 / frequency_x if frequency_x else None,
        period_y_px=1 / abs(frequency_y) if frequency_y else None,
        amplitude=amplitude,
        rms=amplitude if real else amplitude / math.sqrt(2),
        prominence=prominence,
        coherence=float(mean / mean_modulus) if mean_modulus else 0.0,
    )


def _shifts() -> list[npt.NDArray[np.complex128]]:
    """Turns of phase over the tiles, [1,*TILES], for frequencies between two bins."""
    rows, columns = ((np.arange(parts) + 0.5) / parts for parts in TILES)
    return [
        np.exp(-2j * np.pi * (down * rows[:, None] + across * columns[None]))[None]
        for down in SUBBINS
        for across in SUBBINS
    ]


_SHIFTS = _shifts()
