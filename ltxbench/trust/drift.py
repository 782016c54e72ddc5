"""Whether a case's steps keep their time within a round, and its rounds theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from ltxbench.run.records import CaseRecord
from ltxbench.statistics.drift import ALPHA, Drift, Steadiness, drift
from ltxbench.trust.samples import GENERATION, by_round, finished, warm_steps


@dataclass(frozen=True)
class Stretch:
    """One series that was looked at: a stage's warm steps, or the rounds."""

    stage: int | None
    """None: generation times, round by round."""
    round: int | None
    """None: the median over the rounds, step by step."""
    drift: Drift

    @property
    def where(self) -> str:
        if self.stage is None:
            return f"over {self.drift.n} rounds"
        steps = f"over {self.drift.n} warm steps of stage {self.stage}"
        return steps if self.round is None else f"{steps} in round {self.round}"

    @property
    def sentence(self) -> str:
        """`drifts by +23% over 7 warm steps of stage 1`."""
        if self.drift.steadiness is Steadiness.DRIFTING:
            return f"drifts by {self.drift.change:+.0%} {self.where}"
        if self.drift.steadiness is Steadiness.UNSTEADY:
            return f"wanders by {self.drift.wander:.0%} {self.where}"
        if self.drift.steadiness is Steadiness.UNTESTED:
            return f"too short to test {self.where}"
        return f"holds its time {self.where}"


@dataclass(frozen=True)
class CaseDrift:
    stretches: tuple[Stretch, ...]

    @property
    def marked(self) -> tuple[Stretch, ...]:
        """Drifting or unsteady, the largest first."""
        found = [stretch for stretch in self.stretches if stretch.drift.marked]
        return tuple(sorted(found, key=lambda stretch: -stretch.drift.size))

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
        """Share of the median that the marked drift amounts to, 0 when nothing is marked."""
        return max((stretch.drift.size for stretch in self.marked), default=0.0)


def case_drift(rounds: Sequence[CaseRecord]) -> CaseDrift:
    """Looks at every stage's warm steps in every finished round, at their profile over the rounds, and across rounds.

    All series of a case share the false-alarm rate of one: half of it goes to the profiles and the rounds' own series,
    half to the single rounds. With one round there is nothing but its stages.
    """
    records = finished(rounds)
    warm = [(record.round, warm_steps(record)) for record in records]
    stages = sorted({stage for _, by_stage in warm for stage in by_stage})
    candidates: list[tuple[int | None, int | None, tuple[float, ...], float]] = []
    single = [(stage, number, by_stage[stage]) for number, by_stage in warm for stage in stages if stage in by_stage]
    if len(records) == 1:
        candidates += [(stage, None, times, ALPHA / len(stages)) for stage, _, times in single]
    else:
        candidates += [(stage, number, times, ALPHA / 2 / len(single)) for stage, number, times in single]
        profiles: list[tuple[int | None, tuple[float, ...]]] = [
            (stage, _profile([times for of, _, times in single if of == stage])) for stage in stages
        ]
        profiles.append((None, tuple(by_round(records, GENERATION).values())))
        candidates += [(stage, None, times, ALPHA / 2 / len(profiles)) for stage, times in profiles]
    found = (
        (stage, number, drift(times, alpha=alpha))
        for stage, number, times, alpha in candidates
        if min(times, default=0) > 0
    )
    return CaseDrift(tuple(Stretch(stage, number, each) for stage, number, each in found if each is not None))


def _profile(series: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Step by step the median over the rounds."""
    return tuple(median(value for value in step if value is not None) for step in zip_longest(*series))
