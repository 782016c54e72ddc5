"""Whether the latest of a series of runs lie where the earlier ones do: robust levels, and the noise between runs.

A run is one value, however many rounds it has: what makes a whole run slower or faster (the hour, the temperature,
where a process landed in memory) does not average out within it, so that the noise is that between the window's runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtr

from ltxbench.statistics.values import Floats

LEAST_RUNS = 5
"""Of a window, from which on its noise is known well enough to test against."""
TRIMMED = 0.1
"""Share of the window that is left out of its level at either end: runs that something disturbed."""
PRIOR_DF = 8.0
"""Degrees of freedom that the noise of all series together counts for in each one's own (Smyth, 2004)."""
FLOOR = 0.002
"""Standard deviation of a logarithm below which no machine's clock repeats itself."""
MEDIAN_VARIANCE: Mapping[int, float] = {1: 1.0, 2: 0.5, 3: 0.4487, 4: 0.2982, 5: 0.2868}
"""Variance of the median of k normal values, of one value's (David and Nagaraja, Order Statistics, 3rd edition)."""


@dataclass(frozen=True)
class Shift:
    """Of S series, natural logarithms: how far the median of the last k runs lies from the window's level."""

    k: int
    n: int
    log: Floats
    """[S]"""
    error: Floats
    """[S] standard error of it."""
    df: float
    p: Floats
    """[S] two-sided."""


def shift(window: Floats, recent: Floats, *, pool: Floats | None = None) -> Shift:
    """`window` [n,S] and `recent` [k,S], logarithms in the order of the runs; k is 1 to 5.

    The level is a trimmed mean, its noise the winsorized deviation scaled to the normal one, and moderated by that of
    all series of its kind: `pool` [n,P] where that is not `window`. Neighbouring runs that resemble each other widen
    the error. Raises ValueError for another k and for windows that are too short.
    """
    n, k = len(window), len(recent)
    if k not in MEDIAN_VARIANCE or n < LEAST_RUNS:
        raise ValueError(f"no test of {k} runs against {n}")
    cut = int(TRIMMED * n)
    level, residuals, variance = _noise(window, cut)
    own = n - 2 * cut - 1
    if pool is not None:
        _, residuals, common = _noise(pool, cut)
    else:
        common = variance
    prior = PRIOR_DF if len(common) > 1 else 0.0
    variance = (own * variance + prior * common.mean()) / (own + prior)
    variance = np.maximum(variance, FLOOR**2)
    resemblance = autocorrelation(residuals)
    spread = MEDIAN_VARIANCE[k] * inflation(resemblance, k) + inflation(resemblance, n) / (n - 2 * cut)
    error = np.sqrt(variance * spread)
    log = np.median(recent, axis=0) - level
    df = own + prior
    return Shift(k, n, log, error, df, 2 * stdtr(df, -np.abs(log) / error))


def _noise(window: Floats, cut: int) -> tuple[Floats, Floats, Floats]:
    """Level [S], distances from it [n,S] with the outermost pulled in, and their variance [S] as if normal."""
    inner = np.sort(window, axis=0)[cut : len(window) - cut]
    level = inner.mean(axis=0)
    winsorized = np.clip(window, inner[0], inner[-1])
    return level, winsorized - level, winsorized.var(axis=0, ddof=1) / _winsorized_variance(len(window))


def autocorrelation(residuals: Floats) -> float:
    """Of neighbouring runs, averaged over the series; corrected for the bias of short ones (Kendall, 1954)."""
    n = len(residuals)
    squares = np.square(residuals).sum(axis=0)
    products = (residuals[1:] * residuals[:-1]).sum(axis=0)
    known = squares > 0
    if not known.any():
        return 0.0
    found = float(np.mean(products[known] / squares[known]))
    return float(np.clip(found + (1 + 3 * found) / n, 0.0, 0.8))


def inflation(resemblance: float, m: int) -> float:
    """How much more the mean of m neighbouring values of an AR(1) series varies than that of independent ones."""
    lags = np.arange(1, m)
    return float(1 + 2 * np.sum((1 - lags / m) * resemblance**lags))


@lru_cache(maxsize=256)
def _winsorized_variance(n: int) -> float:
    """Mean winsorized variance of n standard normal values, from 20,000 seeded draws."""
    cut = int(TRIMMED * n)
    if cut == 0:
        return 1.0
    draws = np.sort(np.random.Generator(np.random.Philox(key=n)).standard_normal((20_000, n)), axis=1)
    draws = np.clip(draws, draws[:, cut : cut + 1], draws[:, n - cut - 1 : n - cut])
    return float(draws.var(axis=1, ddof=1).mean())
