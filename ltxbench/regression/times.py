"""Times of a run against a window of runs, all cases and metrics with one error rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, log

import numpy as np
from scipy.special import stdtrit

from ltxbench.regression.shared import beside, together
from ltxbench.regression.shift import LEAST_RUNS, shift
from ltxbench.statistics.correction import holm
from ltxbench.statistics.values import Floats

ALPHA = 0.10
"""Share of checks of unchanged code in which any case at all is suspected."""
LOOKS = (1, 3, 5)
"""Latest runs that are tested together."""
BESIDE = 2
"""Other cases that it takes to tell a case from its machine."""
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
    fastest: Floats
    """[runs + 1, cases] logarithms of each run's faster rounds (`CaseEntry.fastest`), the new run's last."""
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
    fastest: float
    """As `log`, of the runs' faster rounds alone."""
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
        """Whether it is a change that counts. Heat and interruptions slow some rounds, other code slows them all."""
        size, limit = abs(self.log), log(1 + self.threshold)
        return bool(size > limit and self.fastest * np.sign(self.log) >= min(size / 2, limit))


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
    own = _Kind(Test.ALONE, group.cases, group.thresholds, values, group.fastest)
    # Noise is pooled among series of a kind: what is left beside the others is quieter than what is not.
    kinds = [own]
    if len(group.cases) > BESIDE:
        kinds.append(replace(own, test=Test.BESIDE, values=beside(values), fastest=beside(group.fastest)))
    if len(group.cases) >= TOGETHER:
        shared, fastest = (together(each, group.rates) for each in (values, group.fastest))
        kinds.append(_Kind(Test.TOGETHER, (None,), (min(group.thresholds),), shared, fastest))
    return [found for kind in kinds for found in kind.findings(group)]


@dataclass(frozen=True)
class _Kind:
    """Series that are tested alike."""

    test: Test
    cases: tuple[str | None, ...]
    limits: tuple[float, ...]
    values: Floats
    """[runs, cases]"""
    fastest: Floats

    def findings(self, group: Group) -> list[tuple[Finding, ...]]:
        n = len(self.values)
        # Of the latest run, three and five against those before.
        shifts = [shift(self.values[: n - k], self.values[n - k :]) for k in LOOKS if n - k >= LEAST_RUNS]
        return [
            tuple(
                Finding(
                    metric=group.metric,
                    case=case,
                    group=group.cases,
                    test=self.test,
                    k=of.k,
                    runs=of.n,
                    log=float(of.log[index]),
                    error=float(of.error[index]),
                    df=of.df,
                    p=min(1.0, len(shifts) * float(of.p[index])),
                    threshold=limit,
                    fastest=_moved(self.fastest[:, index], of.k),
                )
                for of in shifts
            )
            for index, (case, limit) in enumerate(zip(self.cases, self.limits, strict=True))
        ]


def _moved(values: Floats, k: int) -> float:
    return float(np.median(values[-k:]) - np.median(values[:-k]))
