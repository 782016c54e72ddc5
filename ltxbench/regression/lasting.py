"""Improvements that lasted: what was slower before them is no level any more, or their loss would go unnoticed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ltxbench.regression.shift import autocorrelation, inflation
from ltxbench.statistics.values import Floats

ALPHA = 1e-3
"""Of the test that finds steps."""
LEAST_CASES = 3
"""From which on what all cases share is told from what is a case's own."""
SURE = 6.0
"""Standard errors, widened for neighbouring runs that resemble each other, that an improvement must exceed."""
LEAST_CHANGE = 0.02
LEAST_NOISES = 2.0
"""What counts, in standard deviations of a run: SURE errors of a window's halves are more than that."""
DIFFERENCE = 1.128
"""Mean distance of two normal values, in their standard deviations."""
BLOCK = 4
"""Runs that make a stretch (steps.LEAST)."""


def to_present(window: Floats) -> Floats:
    """What to add to each value of `window`, natural logarithms [runs, cases], the oldest run first: 0 or less.

    Earlier stretches that were slower than the present one come down to it, in what all cases share and in what is left
    of each. Faster ones stay where they are, so that a slow decline is still measured from its beginning.
    """
    apart = window - np.median(window, axis=0)
    shared = np.median(apart, axis=1, keepdims=True) if window.shape[1] >= LEAST_CASES else np.zeros((len(window), 1))
    own = apart - shared
    return np.stack([_slower(column) for column in own.T], axis=1) + _slower(shared[:, 0])[:, None]


def _slower(series: Floats) -> Floats:
    nothing = np.zeros(len(series))
    if not _might(series):
        return nothing
    from ltxbench.regression.steps import steps  # scipy.stats takes a second to import

    bounds = [0, *(step.index for step in steps(np.exp(series).tolist(), alpha=ALPHA)), len(series)]
    sizes = np.diff(bounds)
    levels = np.array([np.median(series[start:end]) for start, end in pairwise(bounds)])
    residuals = series - np.repeat(levels, sizes)
    present, before = int(sizes[-1]), len(series) - int(sizes[-1])
    if before == 0:
        return nothing
    resemblance = autocorrelation(residuals[:, None])
    error = residuals.std() * np.sqrt(
        inflation(resemblance, present) / present + inflation(resemblance, before) / before
    )
    down = levels[-1] - levels
    return np.repeat(np.where(down < -SURE * error, down, 0.0), sizes)


def _might(series: Floats) -> bool:
    """A quick look: whether any number of latest runs is lower by what would count than some runs before them."""
    if len(series) < 2 * BLOCK:
        return False
    highest = np.maximum.accumulate(np.convolve(series, np.full(BLOCK, 1 / BLOCK), "valid"))[:-BLOCK]
    latest = (np.cumsum(series[::-1]) / np.arange(1, len(series) + 1))[::-1][BLOCK : len(series) - BLOCK + 1]
    noise = float(np.abs(np.diff(series)).mean()) / DIFFERENCE
    return bool(np.any(highest - latest > max(LEAST_CHANGE, LEAST_NOISES * noise)))
