"""Steps in a series of runs: where its level changed, and by how much.

Seeded binary segmentation (Kovács, Bühlmann, Li and Munk, Biometrika 110, 2023) on ranks: the split is looked for in
the whole and in overlapping parts of it, so that a level that went up and came back is seen as well as one that stayed.
It is tested against random orders of the stretch; on ranks their distribution depends on the length alone and is drawn
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from ltxbench.statistics.values import Floats, finite

ALPHA = 0.01
"""Share of stretches without a step in which a split is seen, if their values are independent of each other."""
LEAST = 4
"""Values on either side of a step."""
PRACTICAL = 0.02
"""A step smaller than this share of the level is not told."""
DRAWS = 1_999
DECAY = 2**-0.5


@dataclass(frozen=True)
class Step:
    index: int
    """Of the first value of the new level."""
    before: float
    after: float
    """Medians of the stretches on both sides."""
    p: float

    @property
    def ratio(self) -> float:
        return self.after / self.before


def steps(values: Sequence[float], *, alpha: float = ALPHA, practical: float = PRACTICAL) -> tuple[Step, ...]:
    """In the order of the series. Raises ValueError for NaN, infinity and values that are not positive."""
    series = finite(values)
    if series.size and series.min() <= 0:
        raise ValueError("a level is positive")
    splits = sorted(_split(series, 0, len(series), alpha))
    while splits:  # a split that the finer ones left without a difference is taken back
        bounds = [0, *(index for index, _ in splits), len(series)]
        levels = [float(np.median(series[start:end])) for start, end in pairwise(bounds)]
        sizes = [abs(after / before - 1) for before, after in pairwise(levels)]
        least = min(range(len(sizes)), key=sizes.__getitem__)
        if sizes[least] >= practical:
            return _dated(series, bounds, [p for _, p in splits])
        del splits[least]
    return ()


def _dated(series: Floats, bounds: Sequence[int], p_values: Sequence[float]) -> tuple[Step, ...]:
    """Each split where two levels lie closest to the values between its neighbours: ranks, which find it, pull it
    towards the longer side."""
    placed = [0]
    for end in bounds[2:]:
        placed.append(_closest(series, placed[-1], end))
    placed.append(len(series))
    levels = [float(np.median(series[start:end])) for start, end in pairwise(placed)]
    return tuple(Step(placed[n + 1], levels[n], levels[n + 1], p) for n, p in enumerate(p_values))


def _closest(series: Floats, start: int, end: int) -> int:
    def distance(index: int) -> float:
        sides = series[start:index], series[index:end]
        return sum(float(np.abs(side - np.median(side)).sum()) for side in sides)

    return min(range(start + LEAST, end - LEAST + 1), key=distance)


def _split(series: Floats, start: int, end: int, alpha: float) -> list[tuple[int, float]]:
    if end - start < 2 * LEAST:
        return []
    place, p = _best(series[start:end])
    if p > alpha:
        return []
    middle = start + place
    return [(middle, p), *_split(series, start, middle, alpha), *_split(series, middle, end, alpha)]


def _best(stretch: Floats) -> tuple[int, float]:
    """The most likely first index of a new level, and how often random orders look as much like one."""
    ranks = np.asarray(rankdata(stretch), dtype=np.float64)[None]
    highest, place = 0.0, LEAST
    for start, end in _intervals(len(stretch)):
        found = _statistics(ranks[:, start:end], len(stretch))[0]
        if (value := float(found.max())) > highest:
            highest, place = value, start + int(np.argmax(found)) + LEAST
    null = _null(len(stretch))
    above = len(null) - int(np.searchsorted(null, highest - 1e-9, side="left"))
    return place, (above + 1) / (len(null) + 1)


def _statistics(ranks: Floats, n: int) -> Floats:
    """[orders, splits]: the distance between the mean ranks of both sides, in its standard deviations among n."""
    length = ranks.shape[1]
    first = np.arange(LEAST, length - LEAST + 1)
    sums = np.cumsum(ranks - ranks.mean(axis=1, keepdims=True), axis=1)[:, first - 1]
    return np.asarray(np.abs(sums) / np.sqrt(first * (length - first) / length * (n * n - 1) / 12))


@lru_cache(maxsize=512)
def _intervals(n: int) -> tuple[tuple[int, int], ...]:
    """Of ever shorter lengths, each overlapping the next by half: within one of them any step stands alone."""
    found = {(0, n): None}
    length = float(n)
    while (length := length * DECAY) >= 2 * LEAST:
        whole = int(np.ceil(length))
        count = 2 * int(np.ceil(n / length)) - 1
        starts = np.linspace(0, n - whole, count) if count > 1 else [0.0]
        found |= {(int(start), int(start) + whole): None for start in starts}
    return tuple(found)


@lru_cache(maxsize=512)
def _null(n: int) -> Floats:
    """Sorted maxima over random orders of n ranks."""
    draws = DRAWS if n <= 200 else 999
    generator = np.random.Generator(np.random.Philox(key=n))
    found = np.empty(draws)
    for start in range(0, draws, 500):
        count = min(500, draws - start)
        orders = generator.permuted(np.broadcast_to(np.arange(1.0, n + 1), (count, n)), axis=1)
        looks = (_statistics(orders[:, first:last], n).max(axis=1) for first, last in _intervals(n))
        found[start : start + count] = np.maximum.reduce(list(looks))
    return np.sort(found)
