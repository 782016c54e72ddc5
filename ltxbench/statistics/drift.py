"""Whether a series keeps its level: trends, shifts and waves, with their size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from math import factorial
from statistics import fmean, median

import numpy as np
import numpy.typing as npt

from ltxbench.statistics.null import serial_p
from ltxbench.statistics.values import Floats, finite

PRACTICAL = 0.05
BLATANT = 0.20
ALPHA = 0.05
ONE_WAY = 0.5  # from this share of the wander on a trend is what the series does; below, it is a part of something else
LEAST = 3  # values in which a trend can be told from a single odd one
WINDOW = 3  # values whose median counts as a level


class Steadiness(StrEnum):
    STEADY = "steady"
    DRIFTING = "drifting"
    """Goes one way: the trend makes up half of the wander or more."""
    UNSTEADY = "unsteady"
    """Wanders by more than its trend tells."""
    UNTESTED = "untested"
    """Too short for any test, and nothing blatant."""


@dataclass(frozen=True)
class Drift:
    """`change`, `low`, `high` and `wander` are shares of the series' median: 0.2 is 20%."""

    steadiness: Steadiness
    change: float
    """Theil-Sen slope times the length of the series."""
    wander: float
    """Between the highest and the lowest level, a level being the median of three values in a row."""
    p: float | None
    """Of the two tests against a random order, the smaller times two; None where the size alone is no concern."""
    series: tuple[float, ...]
    confidence: float

    @property
    def n(self) -> int:
        return len(self.series)

    @property
    def low(self) -> float:
        """The lower end of the change's interval, which is the slope's times the length."""
        return self._interval[0]

    @property
    def high(self) -> float:
        return self._interval[1]

    @cached_property
    def _interval(self) -> tuple[float, float]:
        from scipy.stats import theilslopes

        slope = theilslopes(self.series, alpha=self.confidence)
        length = (self.n - 1) / median(self.series)
        return float(slope.low_slope) * length, float(slope.high_slope) * length

    @property
    def marked(self) -> bool:
        return self.steadiness in (Steadiness.DRIFTING, Steadiness.UNSTEADY)

    @property
    def size(self) -> float:
        """The larger of wander and change, without sign."""
        return max(abs(self.change), self.wander)


def drift(
    values: Sequence[float] | Floats,
    *,
    practical: float = PRACTICAL,
    blatant: float = BLATANT,
    alpha: float = ALPHA,
    confidence: float = 0.95,
) -> Drift | None:
    """Looks at a series in its order. None for fewer than three values, or a median of 0.

    Two tests against a random order, at alpha/2 each: Kendall's (a trend) and Bartels' (a shift or a wave, too). Their
    outcome counts only from `practical` on: drifting when the trend is that large and half of the wander, unsteady
    otherwise. From `blatant` on a wander counts without a test. Raises ValueError for NaN, infinity and a negative
    median.
    """
    series = tuple(finite(values).tolist())
    middle = median(series) if series else 0.0
    if len(series) < LEAST or middle == 0:
        return None
    if middle < 0:
        raise ValueError("the median is negative")
    # The slope of scipy.stats.theilslopes, without the interval: most series are never asked for that.
    change = median(_slopes(series)) * (len(series) - 1) / middle
    levels = [sorted(series[start : start + WINDOW])[WINDOW // 2] for start in range(len(series) - WINDOW + 1)]
    wander = (max(levels) - min(levels)) / middle
    p = _p(np.array(series)) if max(abs(change), wander) >= practical else None
    ordered = p is not None and p <= alpha
    if ordered and abs(change) >= max(practical, ONE_WAY * wander):
        steadiness = Steadiness.DRIFTING
    elif ordered or wander >= blatant:
        steadiness = Steadiness.UNSTEADY
    elif smallest_drift_p(len(series)) > alpha:
        steadiness = Steadiness.UNTESTED
    else:
        steadiness = Steadiness.STEADY
    return Drift(steadiness, change, wander, p, series, confidence)


def drift_together(
    rounds: Sequence[Sequence[float]], *, practical: float = PRACTICAL, alpha: float = ALPHA
) -> Drift | None:
    """Several rounds of the same steps, each of which may wander in its own way: the figures of a typical one.

    Unsteady, or drifting where all go one way, when Bartels' tests of the rounds, combined by Fisher's method, say so,
    and the mean wander is at least `practical`. A round by itself is often too short to be sure of. None for fewer
    than two rounds that can be looked at; raises as `drift`.
    """
    looked = [each for series in rounds if (each := drift(series, practical=practical, alpha=0)) is not None]
    if len(looked) < 2:
        return None
    wander = fmean(each.wander for each in looked)
    p = None
    if wander >= practical:
        from scipy.stats import combine_pvalues, rankdata

        ranks = [np.asarray(rankdata(each.series), dtype=np.float64) for each in looked]
        p = float(combine_pvalues([serial_p(each) for each in ranks]).pvalue)
    typical = sorted(looked, key=lambda each: each.change)[len(looked) // 2]
    one_way = min(each.change for each in looked) > 0 or max(each.change for each in looked) < 0
    if p is None or p > alpha:
        steadiness = Steadiness.STEADY
    else:
        trend = one_way and abs(typical.change) >= max(practical, ONE_WAY * wander)
        steadiness = Steadiness.DRIFTING if trend else Steadiness.UNSTEADY
    return Drift(steadiness, typical.change, wander, p, typical.series, typical.confidence)


def smallest_drift_p(n: int) -> float:
    """Of a series of n values without ties: both tests have 2 of n! orders at their end."""
    return min(1.0, 4 / factorial(n))


def stage_series(steps: Iterable[tuple[int, float]]) -> dict[int, tuple[float, ...]]:
    """(stage, step time) in order -> each stage's times without its first.

    A stage's first step compiles or meets new shapes, and the stages do different work: neither is drift.
    """
    stages: dict[int, list[float]] = {}
    for stage, step_s in steps:
        stages.setdefault(stage, []).append(step_s)
    return {stage: tuple(times[1:]) for stage, times in stages.items()}


def _slopes(series: Sequence[float]) -> list[float]:
    values = np.array(series)
    first, second = _pairs(len(series))
    slopes: list[float] = ((values[second] - values[first]) / (second - first)).tolist()
    return slopes


@lru_cache(maxsize=128)
def _pairs(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    first, second = np.triu_indices(n, 1)
    return first, second


def _p(series: Floats) -> float:
    if np.ptp(series) == 0:
        return 1.0
    from scipy.stats import kendalltau, rankdata  # a second and a half to import, and steady series need none

    trend = float(kendalltau(np.arange(len(series)), series).pvalue)
    return min(1.0, 2 * min(trend, serial_p(np.asarray(rankdata(series), dtype=np.float64))))
