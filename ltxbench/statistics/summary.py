"""One list of samples in a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ltxbench.statistics.values import Floats, finite

RESAMPLES = 4_999
INNER_TAIL = 0.2
"""Share of the nominal tail at which the bootstrap quantiles are taken: at face value they cover a median of seven
samples 87% of the time instead of 95% (measured in tests/statistics/test_summary.py)."""
FALSE_MARKS = 0.05  # of normal samples, those in which any value is marked
MARK_FLOOR = 0.01  # a deviation of less than 1% of the median is nobody's concern
MARKED_DRAWS = 20_000


@dataclass(frozen=True)
class Summary:
    """In the samples' own unit."""

    n: int
    median: float
    minimum: float
    maximum: float
    mad: float | None
    """Median absolute deviation from the median, not scaled; None for one sample."""
    low: float | None
    high: float | None
    """Bootstrap interval of the median; None where n is too small to reach `confidence`."""
    confidence: float
    outliers: tuple[int, ...]
    """Indices of marked samples, which stay part of every figure."""


def summarize(samples: Sequence[float], *, confidence: float = 0.95, seed: int = 0) -> Summary | None:
    """None for no samples. Raises ValueError for NaN, infinity and a confidence outside (0, 1)."""
    values = finite(samples)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    if not len(values):
        return None
    median = float(np.median(values))
    low, high = _interval(values, confidence, seed)
    return Summary(
        n=len(values),
        median=median,
        minimum=float(values.min()),
        maximum=float(values.max()),
        mad=float(np.median(np.abs(values - median))) if len(values) > 1 else None,
        low=low,
        high=high,
        confidence=confidence,
        outliers=mark_outliers(values),
    )


def least_samples(confidence: float) -> int:
    """From how many samples on the whole range covers the median that often: 1 - 2^(1-n) of the time. 95%: 6."""
    n = 2
    while 1 - 2.0 ** (1 - n) < confidence:
        n += 1
    return n


def _interval(values: Floats, confidence: float, seed: int) -> tuple[float | None, float | None]:
    if len(values) < least_samples(confidence):
        return None, None
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    from scipy.stats import bootstrap  # as in drift: slow to import

    result = bootstrap(
        (values,),
        np.median,
        n_resamples=RESAMPLES,
        confidence_level=1 - (1 - confidence) * INNER_TAIL,
        method="percentile",
        rng=np.random.Generator(np.random.Philox(key=seed)),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def mark_outliers(samples: Sequence[float] | Floats) -> tuple[int, ...]:
    """Indices of the values far from the median, measured in MADs: further than in 95% of normal samples of this size.

    The bound follows the sample size: among three values two are close together by chance so often that the third must
    be 60 of their distances away. Nothing is marked among fewer than three, or within 1% of the median.
    """
    values = finite(samples)
    if len(values) < 3:
        return ()
    median = np.median(values)
    deviation = np.abs(values - median)
    bound = _mark_bound(len(values)) * float(np.median(deviation))
    far = (deviation > bound) & (deviation > MARK_FLOOR * abs(median))
    return tuple(int(index) for index in np.flatnonzero(far))


@lru_cache(maxsize=128)
def _mark_bound(n: int) -> float:
    """In MADs: the largest deviation in normal samples of n stays below it in 95% of them."""
    draws = max(1_000, min(MARKED_DRAWS, 1_000_000 // n))
    samples = np.random.Generator(np.random.Philox(key=n)).standard_normal((draws, n))
    deviation = np.abs(samples - np.median(samples, axis=1, keepdims=True))
    ratio = deviation.max(axis=1) / np.median(deviation, axis=1)
    return float(np.quantile(ratio, 1 - FALSE_MARKS))
