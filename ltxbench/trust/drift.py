"""Whether a case's steps keep their time within a round, and its rounds theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from ltxbench.run.records import CaseRecord
from ltxbench.statistics.drift import ALPHA, Drift, Steadiness, drift, drift_together
from ltxbench.trust.samples import GENERATION, by_round, finished, warm_steps

SHARES = 3


@dataclass(frozen=True)
class Stretch:
    """One series that was looked at: a stage's warm steps, or the rounds."""

    stage: int | None
    """None: generation times, round by round."""
    round: int | None
    """None: the median over the rounds, step by step."""
    drift: Drift
    together: bool = False
    """Every round by itself, and all of them as one finding."""

    @property
    def where(self) -> str:
        if self.stage is None:
            return f"over {self.drift.n} rounds"
        steps = f"over {self.drift.n} warm steps of stage {self.stage}"
        if self.together:
            return f"{steps}, in each round in its own way"
        return steps if self.round is None else f"{steps} in round {self.round}"

    @property
    def sentence(self) -> str:
        """`drifts by +19% and wanders by 28% over 7 warm steps of stage 1`: the larger of both is what grades it."""
        change, wander = f"{self.drift.change:+.0%}", f"{self.drift.wander:.0%}"
        if self.drift.steadiness is Steadiness.DRIFTING:
            return f"drifts by {change} and wanders by {wander} {self.where}"
        if self.drift.steadiness is Steadiness.UNSTEADY and abs(self.drift.change) > self.drift.wander:
            return f"wanders with a trend of {change}, its levels {wander} apart, {self.where}"
        if self.drift.steadiness is Steadiness.UNSTEADY:
            return f"wanders by {wander}, with a trend of {change}, {self.where}"
        if self.drift.steadiness is Steadiness.UNTESTED:
            return f"too short to test {self.where}"
        return f"holds its time {self.where}"


@dataclass(frozen=True)
class CaseDrift:
    stretches: tuple[Stretch, ...]

    @property
    def marked(self) -> tuple[Stretch, ...]:
        """Drifting or unsteady: the largest first, of equal ones what says which way, and what holds for all rounds."""

        def rank(stretch: Stretch) -> tuple[float, bool, bool]:
            drifting = stretch.drift.steadiness is Steadiness.DRIFTING
            return -round(stretch.drift.size, 6), not drifting, stretch.round is not None

        return tuple(sorted((stretch for stretch in self.stretches if stretch.drift.marked), key=rank))

    @property
    def worst(self) -> Stretch | None:
        return self.marked[0] if self.marked else None

    def within(self, stage: int | None) -> CaseDrift:
        """What happens within a round: to this stage, or to any."""
        return CaseDrift(
            tuple(each for each in self.stretches if each.stage is not None and stage in (None, each.stage))
        )

    @property
    def size(self) -> float:
        """Share of the median by which any series moved, once one of them is marked; 0 when none is."""
        return max((stretch.drift.size for stretch in self.stretches), default=0.0) if self.marked else 0.0


def case_drift(rounds: Sequence[CaseRecord]) -> CaseDrift:
    """Looks at every stage's warm steps in every finished round, at their profile over the rounds, at the rounds
    together, and across rounds.

    All series of a case share the false-alarm rate of one: a third of it goes to the single rounds, a third to the
    profiles and the series of rounds, a third to the rounds together. With one round there is nothing but its stages.
    """
    records = finished(rounds)
    single = [
        (stage, record.round, times)
        for record in records
        for stage, times in warm_steps(record).items()
        if min(times, default=0.0) > 0
    ]
    stages = sorted({stage for stage, _, _ in single})
    if len(records) == 1:
        return _stretches((stage, None, drift(times, alpha=ALPHA / len(stages))) for stage, _, times in single)
    of_stage = {stage: [times for each, _, times in single if each == stage] for stage in stages}
    level, totals = ALPHA / SHARES, tuple(by_round(records, GENERATION).values())
    found = _stretches(
        (
            *((stage, number, drift(times, alpha=level / len(single))) for stage, number, times in single),
            *((stage, None, drift(_profile(of_stage[stage]), alpha=level / (len(stages) + 1))) for stage in stages),
            (None, None, drift(totals, alpha=level / (len(stages) + 1)) if min(totals, default=0.0) > 0 else None),
        )
    )
    together = ((stage, drift_together(of_stage[stage], alpha=level / len(stages))) for stage in stages)
    return CaseDrift(
        found.stretches
        + tuple(Stretch(stage, None, each, together=True) for stage, each in together if each is not None)
    )


def _stretches(found: Iterable[tuple[int | None, int | None, Drift | None]]) -> CaseDrift:
    return CaseDrift(tuple(Stretch(stage, number, each) for stage, number, each in found if each is not None))


def _profile(series: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Step by step the median over the rounds."""
    return tuple(median(value for value in step if value is not None) for step in zip_longest(*series))
