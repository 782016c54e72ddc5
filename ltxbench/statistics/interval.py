"""The ratio of two samples and its interval, from ranks: exact coverage from four samples on.

The estimate is Hodges and Lehmann's, on logarithms. Its interval is the set of ratios that the exact test does not
refuse, so that the two never contradict each other; tests/statistics/test_interval.py measures both. (A bootstrap of
the ratio of medians covers 92 to 94% instead of 95% with four samples, and follows no test.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ltxbench.statistics.null import rank_sum_tail, signed_rank_tail
from ltxbench.statistics.values import Floats


@dataclass(frozen=True)
class Ratio:
    """New over old. `low` and `high` are None where no interval has the asked confidence."""

    estimate: float
    low: float | None
    high: float | None


def ratio_of_samples(old: Floats, new: Floats, alpha: float) -> Ratio:
    """The median of all quotients new/old, each of positive samples; 1-alpha interval from the rank-sum test."""
    quotients = np.sort(np.subtract.outer(np.log(new), np.log(old)), axis=None)
    return _pick(quotients, rank_sum_tail(len(old), len(new), alpha))


def ratio_of_pairs(old: Floats, new: Floats, alpha: float) -> Ratio:
    """The median of the pairs' quotients and their geometric means two by two; from the signed-rank test."""
    quotients = np.log(new) - np.log(old)
    first, second = np.triu_indices(len(quotients))
    walsh = np.sort((quotients[first] + quotients[second]) / 2)
    return _pick(walsh, signed_rank_tail(len(quotients), alpha))


def next_sample(samples: Floats, alpha: float) -> tuple[float, float]:
    """Where one more of these positive samples lies 1-alpha of the time, their logarithms being normal.

    The range of n samples would leave out the next one 2/(n+1) of the time. (0, inf) for fewer than two.
    """
    count = len(samples)
    if count < 2:
        return 0.0, float("inf")
    logs = np.log(samples)
    width = float(stdtrit(count - 1, 1 - alpha / 2) * np.std(logs, ddof=1) * np.sqrt(1 + 1 / count))
    middle = float(np.mean(logs))
    return float(np.exp(middle - width)), float(np.exp(min(middle + width, 700.0)))


def _pick(logs: Floats, tail: int) -> Ratio:
    estimate = float(np.exp(np.median(logs)))
    if tail == 0:
        return Ratio(estimate, None, None)
    return Ratio(estimate, float(np.exp(logs[tail - 1])), float(np.exp(logs[-tail])))
