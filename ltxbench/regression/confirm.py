"""Whether what a rerun shows makes a suspicion a fact, and whether the machine explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

import numpy as np

from ltxbench.regression.shared import beside, from_middle, together
from ltxbench.regression.shift import LEAST_RUNS, shift
from ltxbench.regression.times import Finding, Group, Test
from ltxbench.statistics.values import Floats

AGREES = 0.10
"""p of a rerun, by itself, above which it confirms nothing."""
EVIDENCE = 3e-5
"""The suspicion's p times the rerun's that confirms it: of unchanged code, this is reached by EVIDENCE (1 + ln(ALPHA /
EVIDENCE)) / 2 of all checks, which is one in 7,300, if the two are independent and there is one rerun."""
OVERWHELMING = 1e-5
"""p after correction that needs no rerun, with a change of twice the threshold."""


def leans(suspicion: Finding, ratio: float) -> bool:
    """Whether a rerun goes the way of the suspicion, by half of its size or more."""
    return bool(log(ratio) * np.sign(suspicion.log) >= abs(suspicion.log) / 2)


def confirmed(suspicion: Finding, ratio: float, p: float) -> bool:
    """Whether a rerun's ratio and p make a suspicion a fact."""
    both = (suspicion.log + log(ratio)) / 2
    return bool(
        leans(suspicion, ratio)
        and abs(both) > log(1 + suspicion.threshold)
        and p <= AGREES
        and suspicion.p_adjusted * p <= EVIDENCE
    )


def beyond_doubt(suspicion: Finding, own: Finding) -> bool:
    """Whether it counts without a rerun. `own` is this run by itself: earlier ones are no fault of its."""
    size = min(abs(suspicion.log), own.log * float(np.sign(suspicion.log)))
    return suspicion.p_adjusted <= OVERWHELMING and size > log(1 + 2 * suspicion.threshold)


def confirm(reruns: Sequence[Group], suspicion: Finding, case: str, controls: Sequence[str]) -> tuple[float, float]:
    """One or two reruns' ratio and p, by the test that suspected the case; their groups hold their values as new ones.

    A suspicion beside the other cases is tested beside the controls, which ran in between; one that took several
    runs against the window before them.
    """
    group, count = reruns[0], len(reruns)
    column = group.cases.index(case)
    values = np.vstack([group.window[: len(group.window) + 1 - suspicion.k], *(each.new for each in reruns)])
    rest = [index for index in range(len(group.cases)) if index != column]
    # Where every case is suspected of something, the others still show what the machine did.
    others = [index for index in rest if group.cases[index] in controls] or rest
    pool = values
    if suspicion.test is Test.BESIDE and others:
        pool = beside(values)
        apart = from_middle(values)
        values = apart[:, [column]] - np.median(apart[:, others], axis=1, keepdims=True)
    elif suspicion.test is Test.TOGETHER:
        values = pool = together(values, _rates(reruns, suspicion.k))
    else:
        values = values[:, [column]]
    found = shift(values[:-count], values[-count:], pool=pool[:-count])
    return float(np.exp(found.log[0])), float(found.p[0])


def _rates(reruns: Sequence[Group], k: int) -> Floats | None:
    """Of the runs before the suspected ones, and of the reruns."""
    known = [each.rates for each in reruns if each.rates is not None]
    if len(known) < len(reruns):
        return None
    return np.concatenate([known[0][: len(known[0]) - k], [each[-1] for each in known]])


def machine_explains(rates: Mapping[str, float | None], new: float | None, moved: float) -> float | None:
    """By how much the machine's own rate of arithmetic has gone down, where that is half of `moved` or more.

    `rates` by run, `moved` the logarithm of the times' ratio. None where the rate is not known, or does not explain it.
    """
    known = [rate for rate in rates.values() if rate is not None]
    if new is None or len(known) < LEAST_RUNS:
        return None
    slower = float(np.median(np.log(known))) - log(new)
    return exp(slower) - 1 if slower * np.sign(moved) >= abs(moved) / 2 else None
