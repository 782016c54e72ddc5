"""One case's figures over its rounds: medians for the tables, whole summaries where the spread is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord, Phase
from ltxbench.statistics.summary import Summary, summarize
from ltxbench.trust.samples import GENERATION, Metric, by_round, finished, step_metric

Value = Callable[[CaseRecord], float | None]


@dataclass(frozen=True)
class Measured:
    """A case over the rounds that went well; None wherever no round has the figure."""

    record: CaseRecord
    """The round that stands for the case."""
    timed: tuple[CaseRecord, ...]
    """All timed rounds, those that failed among them."""

    @cached_property
    def rounds(self) -> tuple[CaseRecord, ...]:
        return finished(self.timed)

    def median(self, value: Value) -> float | None:
        found = [known for record in self.rounds if (known := value(record)) is not None]
        return median(found) if found else None

    def highest(self, value: Value) -> float | None:
        """For peaks: a limit that some round needed is needed."""
        return max((known for record in self.rounds if (known := value(record)) is not None), default=None)

    def samples(self, metric: Metric) -> dict[int, float]:
        """By round."""
        return by_round(self.timed, metric)

    def summary(self, metric: Metric) -> Summary | None:
        return summarize(tuple(self.samples(metric).values()))

    def outlier_rounds(self, metric: Metric) -> tuple[int, ...]:
        """The rounds whose figure is marked; it stays part of everything."""
        found = self.samples(metric)
        summary = summarize(tuple(found.values()))
        return tuple(tuple(found)[index] for index in summary.outliers) if summary else ()

    @property
    def generation_s(self) -> float | None:
        return self.median(GENERATION.of)

    @property
    def peak_bytes(self) -> float | None:
        """The highest of all rounds."""
        return self.highest(lambda record: record.memory.mlx_peak_bytes)

    @property
    def mean_bytes(self) -> float | None:
        return self.median(lambda record: record.memory.mlx_mean_denoising_bytes)

    def phase_s(self, phase: Phase) -> float | None:
        """The median over the rounds of the time in all stretches of a phase."""
        return self.median(lambda record: _phase_s(record, phase))

    def warm_step_s(self, stage: int) -> float | None:
        """The median over the rounds of each round's median warm step."""
        return self.median(step_metric(stage).of)

    def first_step_s(self, stage: int) -> float | None:
        return self.median(lambda record: next((s.step_s for s in record.steps if s.stage == stage), None))

    def cold_step_s(self, stage: int) -> float | None:
        """The first of the stage in a process that had not run it; the warm-up's where there was one."""
        warmed = any(record.cold_steps for record in self.rounds)
        if not warmed:
            return self.first_step_s(stage)
        return self.median(lambda record: next((s.step_s for s in record.cold_steps if s.stage == stage), None))

    @property
    def warmed_up(self) -> bool:
        return any(record.cold_steps for record in self.rounds)


def measured(results: Results) -> tuple[Measured, ...]:
    """One a case that left a record, in the matrix's order."""
    return results.once("measured", lambda: tuple(measure(results, record) for record in results.records))


def measure(results: Results, record: CaseRecord) -> Measured:
    return Measured(record, results.rounds_of(record.case.name))


def _phase_s(record: CaseRecord, phase: Phase) -> float | None:
    parts = [part.duration_s for part in record.phases if part.phase is phase]
    return sum(parts) if parts else None


def typical(results: Results, record: CaseRecord) -> CaseRecord:
    """The record with the figures that stand for the case in the tables: time and memory over its rounds."""
    case = measure(results, record)
    if len(case.rounds) < 2:
        return record
    peak, mean = case.peak_bytes, case.mean_bytes
    memory = record.memory.model_copy(
        update={
            "mlx_peak_bytes": None if peak is None else int(peak),
            "mlx_mean_denoising_bytes": None if mean is None else int(mean),
        }
    )
    times = record.times.model_copy(update={"generation_s": case.generation_s})
    return record.model_copy(update={"times": times, "memory": memory})
