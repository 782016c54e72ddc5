"""The columns that a generated table may have, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ltxbench.matrix.case import Case
from ltxbench.report import format as fmt
from ltxbench.report.badges import Badges, word
from ltxbench.report.conditions import counts_finished
from ltxbench.report.figures import finished, outcome_title
from ltxbench.report.measured import Measured
from ltxbench.report.results import Results
from ltxbench.report.tables import NOT_RUN, resolution
from ltxbench.run.records import DENOISING, Phase
from ltxbench.trust.samples import ENERGY, GENERATION

Figure = Callable[[Measured], str]


@dataclass(frozen=True)
class Subject:
    """A row: a case, and what was measured of it, if anything was."""

    number: int
    case: Case
    measured: Measured | None
    results: Results


@dataclass(frozen=True)
class Column:
    title: str
    of: Callable[[Subject], str]
    numeric: bool = False


def _setting(title: str, of: Callable[[Case], str], *, numeric: bool = False) -> Column:
    return Column(title, lambda subject: of(subject.case), numeric)


def _figure(title: str, of: Figure) -> Column:
    """A dash for a case that did not finish: its figures are those of a part."""

    def text(subject: Subject) -> str:
        found = subject.measured
        return of(found) if found is not None and finished(found.record) else fmt.MISSING

    return Column(title, text, numeric=True)


def _generation(subject: Subject) -> str:
    found = subject.measured
    if found is None:
        return NOT_RUN
    return fmt.seconds(found.generation_s) if finished(found.record) else outcome_title(found.record)


def _spread(case: Measured) -> str:
    found = tuple(case.samples(GENERATION).values())
    return fmt.span(min(found), max(found)) if len(found) > 1 else fmt.MISSING


def _steps(case: Measured, of: Callable[[int], float | None]) -> str:
    parts = [fmt.seconds(of(stage.index)) for stage in case.record.case.stages]
    return fmt.MISSING if set(parts) == {fmt.MISSING} else " + ".join(parts)


def _denoising_s(case: Measured) -> float | None:
    parts = [seconds for phase in DENOISING if (seconds := case.phase_s(phase)) is not None]
    return sum(parts) if parts else None


def _rounds(subject: Subject) -> str:
    return "0" if subject.measured is None else counts_finished(subject.results, subject.measured.record)


COLUMNS: Mapping[str, Column] = {
    "number": Column("#", lambda subject: str(subject.number), numeric=True),
    "case": _setting("Configuration", lambda case: case.title),
    "name": _setting("Case", lambda case: case.name),
    "model": _setting("Model", lambda case: case.model_label),
    "quantization": _setting("Precision", lambda case: case.quantization.value),
    "steps": _setting("Steps", lambda case: case.steps_label),
    "guidance": _setting("CFG", lambda case: fmt.number(case.guidance), numeric=True),
    "resolution": _setting("Resolution", resolution),
    "frames": _setting("Frames", lambda case: str(case.frames), numeric=True),
    "seed": _setting("Seed", lambda case: str(case.seed), numeric=True),
    "outcome": Column("Outcome", lambda s: NOT_RUN if s.measured is None else outcome_title(s.measured.record)),
    "rounds": Column("Rounds", _rounds, numeric=True),
    "verdict": Column("Verdict", lambda subject: word(subject.results.verdict_of(subject.case.name))),
    "trust": Column("Trust", lambda subject: Badges(subject.results).line(subject.case.name)),
    "generation": Column("Time", _generation, numeric=True),
    "spread": _figure("Spread", _spread),
    "load": _figure("Load", lambda case: fmt.seconds(case.median(lambda record: record.times.load_s))),
    "text": _figure("Text", lambda case: fmt.seconds(case.phase_s(Phase.ENCODE))),
    "denoising": _figure("Denoising", lambda case: fmt.seconds(_denoising_s(case))),
    "decode": _figure("Decode", lambda case: fmt.seconds(case.phase_s(Phase.DECODE))),
    "export": _figure("Export", lambda case: fmt.seconds(case.median(lambda record: record.times.export_s))),
    "wall": _figure("Wall", lambda case: fmt.seconds(case.median(lambda record: record.times.wall_s))),
    "cold-step": _figure("Cold first step", lambda case: _steps(case, case.cold_step_s)),
    "step": _figure("Warm step", lambda case: _steps(case, case.warm_step_s)),
    "peak": _figure("Peak memory", lambda case: fmt.gib(case.peak_bytes)),
    "mean": _figure("Mean memory", lambda case: fmt.gib(case.mean_bytes)),
    "process": _figure(
        "Process", lambda case: fmt.gib(case.highest(lambda record: record.memory.footprint_peak_bytes))
    ),
    "device": _figure("Device", lambda case: fmt.gib(case.highest(lambda record: record.memory.device_peak_bytes))),
    "energy": _figure("Energy", lambda case: fmt.joules(case.median(ENERGY.of))),
}
