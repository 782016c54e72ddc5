"""What the cases of a run have in common, and what each has beside it."""

from __future__ import annotations

import numpy as np

from ltxbench.regression.shift import TRIMMED
from ltxbench.statistics.values import Floats

LEAST_RATES = 10
"""Runs from which on the window shows how its times follow the machine's own rate of arithmetic."""


def beside(values: Floats) -> Floats:
    """[runs, cases]: how far each case is from its own middle, over the median of the others' distances."""
    apart = from_middle(values)
    rest = (np.median(np.delete(apart, column, axis=1), axis=1) for column in range(values.shape[1]))
    return np.asarray(apart - np.stack(list(rest), axis=1))


def together(values: Floats, rates: Floats | None = None) -> Floats:
    """[runs, 1]: the median over the cases of how far each is from its own middle.

    Without what the machine's `rates` [runs] tell of it: the part that the earlier runs' times followed them by.
    """
    shared = np.median(from_middle(values), axis=1)
    if rates is not None and len(rates) > LEAST_RATES:
        shared = shared - _follows(shared[:-1], rates[:-1]) * (rates - np.median(rates[:-1]))
    return np.asarray(shared[:, None])


def _follows(times: Floats, rates: Floats) -> float:
    """Slope of logarithms, from -1 (as fast as the machine) to 0, outer values pulled in."""
    x, y = (np.clip(each, *np.quantile(each, (TRIMMED, 1 - TRIMMED))) for each in (rates, times))
    spread = float(np.square(x - x.mean()).sum())
    return float(np.clip(np.sum((x - x.mean()) * y) / spread, -1, 0)) if spread > 0 else 0.0


def from_middle(values: Floats) -> Floats:
    """Cases take seconds or minutes: only what is left of them can be put side by side."""
    return np.asarray(values - np.median(values[:-1], axis=0))
