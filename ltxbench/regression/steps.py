"""Steps in a series of runs: where its level changed, and by how much.

Binary segmentation (Scott and Knott, 1974) with Pettitt's rank statistic (1979), each split tested against random
orders of the stretch that it divides. On ranks that distribution depends on the length alone, so that it is drawn once.
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
DRAWS = 9_999


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
            return tuple(Step(index, levels[place], levels[place + 1], p) for place, (index, p) in enumerate(splits))
        del splits[least]
    return ()


def _split(series: Floats, start: int, end: int, alpha: float) -> list[tuple[int, float]]:
    if end - start < 2 * LEAST:
        return []
    place, p = _best(series[start:end])
    if p > alpha:
        return []
    middle = start + place
    return [(middle, p), *_split(series, start, middle, alpha), *_split(series, middle, end, alpha)]


def _best(stretch: Floats) -> tuple[int, float]:
    """The most likely first index of a new level, and how often a random order looks as much like one."""
    found = _statistics(np.asarray(rankdata(stretch), dtype=np.float64)[None])[0]
    place = int(np.argmax(found))
    null = _null(len(stretch))
    above = len(null) - int(np.searchsorted(null, found[place] - 1e-12, side="left"))
    return place + LEAST, (above + 1) / (len(null) + 1)


def _statistics(ranks: Floats) -> Floats:
    """[orders, splits]: the standardised distance between the mean ranks of both sides."""
    n = ranks.shape[1]
    first = np.arange(LEAST, n - LEAST + 1)
    sums = np.cumsum(ranks - (n + 1) / 2, axis=1)[:, first - 1]
    return np.asarray(np.abs(sums) / np.sqrt(first * (n - first) / n))


@lru_cache(maxsize=512)
def _null(n: int) -> Floats:
    """Sorted maxima over random orders of n ranks."""
    draws = max(999, min(DRAWS, 2_000_000 // n))
    generator = np.random.Generator(np.random.Philox(key=n))
    found = np.empty(draws)
    for start in range(0, draws, 500):
        count = min(500, draws - start)
        orders = generator.permuted(np.broadcast_to(np.arange(1.0, n + 1), (count, n)), axis=1)
        found[start : start + count] = _statistics(orders).max(axis=1)
    return np.sort(found)
