"""Times of a run against a window of runs, all cases and metrics with one error rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, log

import numpy as np
from scipy.special import stdtrit

from ltxbench.regression.shift import LEAST_RUNS, TRIMMED, Shift, shift
from ltxbench.statistics.correction import holm
from ltxbench.statistics.values import Floats

ALPHA = 0.10
"""Share of checks of unchanged code in which any case at all is suspected."""
AGREES = 0.10
"""p of a rerun, by itself, above which it confirms nothing."""
EVIDENCE = 1e-4
"""The suspicion's p times the rerun's that confirms it: of unchanged code, this is reached by EVIDENCE (1 + ln(ALPHA /
EVIDENCE)) / 2 of all checks, which is one in 2,500, if the two are independent."""
OVERWHELMING = 1e-5
"""p after correction that needs no rerun, with a change of twice the threshold."""
LOOKS = (1, 3, 5)
"""Latest runs that are tested together."""
BESIDE = 2
"""Other cases that it takes to tell a case from its machine."""
LEAST_RATES = 10
"""Runs from which on the window shows how its times follow the machine's own rate of arithmetic."""
TOGETHER = 3
"""Cases that it takes to tell what all have in common."""
CONFIDENCE = 0.95


class Test(StrEnum):
    __test__ = False
    ALONE = "alone"
    BESIDE = "beside the other cases"
    """Against the median of the others of its run, which takes away what the whole run shares."""
    TOGETHER = "all cases together"


@dataclass(frozen=True)
class Group:
    """One metric of the cases that share a window."""

    metric: str
    cases: tuple[str, ...]
    window: Floats
    """[runs, cases] natural logarithms, the oldest run first."""
    new: Floats
    """[cases]"""
    thresholds: tuple[float, ...]
    rates: Floats | None = None
    """[runs + 1] logarithms of the machine's rate of matrix products, the new run's last; None where one is missing."""


@dataclass(frozen=True)
class Finding:
    """One series: a case's own, or what all of a group share (`case` is None)."""

    metric: str
    case: str | None
    test: Test
    k: int
    """Latest runs together."""
    runs: int
    log: float
    error: float
    df: float
    p: float
    """Over the numbers of latest runs that were looked at."""
    threshold: float
    group: tuple[str, ...] = ()
    """The cases that share its window."""
    p_adjusted: float = 1.0

    @property
    def ratio(self) -> float:
        return exp(self.log)

    @property
    def interval(self) -> tuple[float, float]:
        half = float(stdtrit(self.df, (1 + CONFIDENCE) / 2)) * self.error
        return exp(self.log - half), exp(self.log + half)

    @property
    def beyond(self) -> bool:
        return abs(self.log) > log(1 + self.threshold)


@dataclass(frozen=True)
class Judged:
    """A case's metric: what was seen alone, and the test that suspects it, if any does."""

    alone: tuple[Finding, ...]
    """By number of latest runs, this run's own first."""
    suspicion: Finding | None = None

    @property
    def narrowest(self) -> Finding:
        return min(self.alone, key=lambda each: each.error * float(stdtrit(each.df, (1 + CONFIDENCE) / 2)))

    @property
    def same(self) -> bool:
        """This run's estimate, and the narrowest interval that there is, lie within the threshold."""
        limit = 1 + self.alone[0].threshold
        low, high = self.narrowest.interval
        return not self.alone[0].beyond and 1 / limit <= low <= high <= limit


def judge(groups: Sequence[Group], *, alpha: float = ALPHA) -> dict[tuple[str, str], Judged]:
    """By (case, metric). Groups with windows shorter than LEAST_RUNS are left out.

    Suspected is what the latest run, or the median of the latest three or five, shows at a level of `alpha` for all
    series together (Holm), beyond its threshold, and, where it shows beside the other cases only, by half of it alone.
    Cases that have enough others are tested beside them and all together; by themselves they would show the machine.
    """
    judged: dict[tuple[str, str], Judged] = {}
    tested: list[tuple[Finding, ...]] = []
    for group in groups:
        if len(group.window) < LEAST_RUNS:
            continue
        series = _series(group)
        alone = [found for found in series if found[0].test is Test.ALONE]
        judged |= {(str(found[0].case), group.metric): Judged(found) for found in alone}
        tested += [found for found in series if found[0].test is not Test.ALONE] or alone
    adjusted = holm([min(1.0, min(each.p for each in found)) for found in tested])
    for found, p in zip(tested, adjusted, strict=True):
        if p is None or p > alpha:
            continue
        beyond = [replace(each, p_adjusted=p) for each in found if each.beyond]
        if beyond:
            _suspect(judged, min(beyond, key=lambda each: each.p))
    return judged


def _suspect(judged: dict[tuple[str, str], Judged], suspicion: Finding) -> None:
    """Of all cases that moved alike, where they moved together."""
    for (case, metric), own in judged.items():
        if metric != suspicion.metric or case not in (suspicion.group if suspicion.case is None else (suspicion.case,)):
            continue
        alone = next(each for each in own.alone if each.k == suspicion.k)
        share = {Test.ALONE: 1.0, Test.BESIDE: 0.5, Test.TOGETHER: 1.0}[suspicion.test]
        moved = alone.log * np.sign(suspicion.log) > share * log(1 + alone.threshold)
        if moved and (own.suspicion is None or suspicion.p_adjusted < own.suspicion.p_adjusted):
            judged[case, metric] = replace(own, suspicion=replace(suspicion, threshold=alone.threshold))


def _series(group: Group) -> list[tuple[Finding, ...]]:
    """Each series' findings by number of latest runs."""
    values = np.vstack([group.window, group.new])
    columns: list[tuple[str | None, Test, float]] = [
        (case, Test.ALONE, limit) for case, limit in zip(group.cases, group.thresholds, strict=True)
    ]
    # Noise is pooled among series of a kind: what is left beside the others is quieter than what is not.
    kinds = [(columns, values)]
    if len(group.cases) > BESIDE:
        kinds.append(([(case, Test.BESIDE, limit) for case, _, limit in columns], beside(values)))
    if len(group.cases) >= TOGETHER:
        kinds.append(([(None, Test.TOGETHER, min(group.thresholds))], together(values, group.rates)))
    found: list[tuple[Finding, ...]] = []
    for names, block in kinds:
        shifts = _shifts(block)
        for index, (case, test, limit) in enumerate(names):
            found.append(tuple(_finding(group, case, test, each, index, limit, len(shifts)) for each in shifts))
    return found


def _shifts(values: Floats) -> list[Shift]:
    """Of the latest run, three and five against those before."""
    n = len(values)
    return [shift(values[: n - k], values[n - k :]) for k in LOOKS if n - k >= LEAST_RUNS]


def _finding(
    group: Group, case: str | None, test: Test, of: Shift, index: int, threshold: float, looks: int
) -> Finding:
    return Finding(
        metric=group.metric,
        case=case,
        group=group.cases,
        test=test,
        k=of.k,
        runs=of.n,
        log=float(of.log[index]),
        error=float(of.error[index]),
        df=of.df,
        p=min(1.0, looks * float(of.p[index])),
        threshold=threshold,
    )


def beside(values: Floats) -> Floats:
    """[runs, cases]: how far each case is from its own middle, over the median of the others' distances."""
    apart = _from_middle(values)
    rest = (np.median(np.delete(apart, column, axis=1), axis=1) for column in range(values.shape[1]))
    return np.asarray(apart - np.stack(list(rest), axis=1))


def together(values: Floats, rates: Floats | None = None) -> Floats:
    """[runs, 1]: the median over the cases of how far each is from its own middle.

    Without what the machine's `rates` [runs] tell of it: the part that the earlier runs' times followed them by.
    """
    shared = np.median(_from_middle(values), axis=1)
    if rates is not None and len(rates) > LEAST_RATES:
        shared = shared - _follows(shared[:-1], rates[:-1]) * (rates - np.median(rates[:-1]))
    return np.asarray(shared[:, None])


def _follows(times: Floats, rates: Floats) -> float:
    """Slope of logarithms, from -1 (as fast as the machine) to 0, outer values pulled in."""
    x, y = (np.clip(each, *np.quantile(each, (TRIMMED, 1 - TRIMMED))) for each in (rates, times))
    spread = float(np.square(x - x.mean()).sum())
    return float(np.clip(np.sum((x - x.mean()) * y) / spread, -1, 0)) if spread > 0 else 0.0


def _from_middle(values: Floats) -> Floats:
    """Cases take seconds or minutes: only what is left of them can be put side by side."""
    return np.asarray(values - np.median(values[:-1], axis=0))


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
        apart = _from_middle(values)
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
