"""From a case's rounds to samples: one figure a round, whatever happens within it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ltxbench.matrix.case import Case
from ltxbench.run.records import CaseRecord, Outcome
from ltxbench.statistics.drift import stage_series

COLD = 1.5
"""From so many of a stage's other steps on, its first one shows little but what it compiled."""


@dataclass(frozen=True)
class Metric:
    """A figure of a round. `of` gives None where the round does not have it."""

    name: str
    title: str
    of: Callable[[CaseRecord], float | None]
    stage: int | None = None
    """Of the denoising, where the figure is of one."""
    denoises: bool = False
    """The steps' times are part of it, so their drift is too."""


GENERATION = Metric("generation_s", "generation", lambda record: record.times.generation_s, denoises=True)
LOAD = Metric("load_s", "load", lambda record: record.times.load_s)
PEAK = Metric("mlx_peak_bytes", "MLX peak", lambda record: record.memory.mlx_peak_bytes)
FOOTPRINT = Metric("footprint_peak_bytes", "process peak", lambda record: record.memory.footprint_peak_bytes)
ENERGY = Metric("generation_j", "energy", lambda record: record.energy.generation_j if record.energy else None)
MEMORY = (PEAK, FOOTPRINT)


def step_metric(stage: int, *, stages: int = 1) -> Metric:
    """The median of a stage's warm steps: steps of one round share its conditions, so they are one sample together."""

    def of(record: CaseRecord) -> float | None:
        warm = warm_steps(record).get(stage)
        return median(warm) if warm else None

    title = "step" if stages == 1 else f"step, stage {stage}"
    return Metric(f"step_{stage}_s", title, of, stage=stage, denoises=True)


def unhindered(metric: Metric) -> Metric:
    """The figure as it were had every warm step of a stage taken as long as the stage's fastest.

    Code that is slower is slower in every step; a machine that throttles, or is interrupted, leaves some as they were.
    """

    def of(record: CaseRecord) -> float | None:
        value, stages = metric.of(record), warm_steps(record)
        if value is None:
            return None
        if metric.stage is not None:
            return min(stages.get(metric.stage, ()), default=None)
        return value - sum(sum(times) - len(times) * min(times) for times in stages.values() if times)

    return replace(metric, of=of)


def as_first(metric: Metric) -> Metric:
    """The figure as it were had every warm step of a stage taken as long as the stage's first.

    A machine that heats up within a round has not done so in its first step. None where that one is cold (COLD).
    """

    def of(record: CaseRecord) -> float | None:
        value, stages = metric.of(record), warm_steps(record)
        firsts = {step.stage: step.step_s for step in reversed(record.steps)}
        if value is None or any(times and firsts[stage] > COLD * median(times) for stage, times in stages.items()):
            return None
        if metric.stage is not None:
            return firsts.get(metric.stage)
        return value - sum(sum(times) - len(times) * firsts[stage] for stage, times in stages.items())

    return replace(metric, of=of)


def time_metrics(case: Case) -> tuple[Metric, ...]:
    """What of a case is compared as times: generation first."""
    stages = case.stages
    return (GENERATION, *(step_metric(stage.index, stages=len(stages)) for stage in stages), LOAD)


def warm_steps(record: CaseRecord) -> dict[int, tuple[float, ...]]:
    """Step times by stage without each stage's first, in seconds.

    A stage of a single step keeps it if a warm-up had run it before.
    """
    warm = stage_series((step.stage, step.step_s) for step in record.steps)
    single = {step.stage: (step.step_s,) for step in record.steps}
    warmed = {step.stage for step in record.cold_steps}
    return {stage: times or (single[stage] if stage in warmed else ()) for stage, times in warm.items()}


def finished(rounds: Iterable[CaseRecord]) -> tuple[CaseRecord, ...]:
    return tuple(record for record in rounds if record.outcome is Outcome.OK)


def by_round(rounds: Sequence[CaseRecord], metric: Metric) -> dict[int, float]:
    """Samples of the rounds that finished and have the figure, by round."""
    values = ((record.round, metric.of(record)) for record in finished(rounds))
    return {number: value for number, value in values if value is not None}


def samples(rounds: Sequence[CaseRecord], metric: Metric) -> tuple[float, ...]:
    return tuple(by_round(rounds, metric).values())


def series(
    sides: tuple[Sequence[CaseRecord], Sequence[CaseRecord]], metric: Metric, *, paired: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Samples of both sides; paired, of the rounds that both have."""
    old, new = (by_round(rounds, metric) for rounds in sides)
    if paired:
        common = [number for number in old if number in new]
        return tuple(old[number] for number in common), tuple(new[number] for number in common)
    return tuple(old.values()), tuple(new.values())
