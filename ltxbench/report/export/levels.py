"""Stored results as tables, at five levels of detail. What was not measured is absent, never 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Any

from ltxbench.report.results import read
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.statistics.summary import summarize
from ltxbench.trust.samples import GENERATION, finished, samples, step_metric, warm_steps

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


class Level(StrEnum):
    """What one row is."""

    CASE = "case"
    """A case: medians over its rounds, with their spread and the verdict."""
    ROUND = "round"
    """A round of a case, the check (round 0) among them."""
    STEP = "step"
    PHASE = "phase"
    SAMPLE = "sample"
    """One reading of the memory sampler."""


def frame(run: RunFolder, level: Level) -> pd.DataFrame:
    """Units are in the columns' names. A column without any value stays, so that every run has the same ones.

    Raises ResultError when a memory series is torn.
    """
    import pandas as pd

    if level is Level.SAMPLE:
        return _samples(run)
    rows = list(_ROWS[level](run))
    table = pd.DataFrame(rows)
    whole = [name for name in table.columns if name.endswith("_bytes") or name in _COUNTS]
    floats = [name for name in table.columns if name.endswith(_FLOAT_UNITS)]
    return table.astype({**dict.fromkeys(whole, "Int64"), **dict.fromkeys(floats, "Float64")})


_FLOAT_UNITS = ("_s", "_j", "_w", "_c", "_mhz", "_share")
_COUNTS = ("number", "round", "rounds", "rounds_finished", "stage", "index", "forwards", "samples", "attempt")


def _cases(run: RunFolder) -> Iterator[Row]:
    results = read(run)
    for record in run.cases:
        rounds = run.rounds_of(record.case.name)
        good = finished(rounds)
        verdict = results.verdict_of(record.case.name)
        yield {
            **_identity(record),
            "outcome": record.outcome.value,
            "rounds": len(rounds),
            "rounds_finished": len(good),
            "verdict": verdict.word,
            "reasons": "; ".join(reason.sentence for reason in verdict.reasons) or None,
            **_spread(rounds),
            **_step_medians(rounds, record),
            "load_s": _median(good, lambda each: each.times.load_s),
            "export_s": _median(good, lambda each: each.times.export_s),
            "wall_s": _median(good, lambda each: each.times.wall_s),
            "mlx_peak_bytes": _highest(good, lambda each: each.memory.mlx_peak_bytes),
            "mlx_mean_denoising_bytes": _whole(_median(good, lambda each: each.memory.mlx_mean_denoising_bytes)),
            "footprint_peak_bytes": _highest(good, lambda each: each.memory.footprint_peak_bytes),
            "device_peak_bytes": _highest(good, lambda each: each.memory.device_peak_bytes),
            "generation_j": _median(good, lambda each: each.energy.generation_j if each.energy else None),
            "frames_sha256": record.video.frames_sha256 if record.video else None,
        }


def _spread(rounds: tuple[CaseRecord, ...]) -> Row:
    found = summarize(samples(rounds, GENERATION))
    names = ("median", "mad", "minimum", "maximum", "low", "high")
    titles = ("", "_mad", "_min", "_max", "_low95", "_high95")
    return {
        f"generation{title}_s": None if found is None else getattr(found, name)
        for name, title in zip(names, titles, strict=True)
    }


def _step_medians(rounds: tuple[CaseRecord, ...], record: CaseRecord) -> Row:
    by_stage = {stage.index: samples(rounds, step_metric(stage.index)) for stage in record.case.stages}
    return {f"step_{stage}_s": _of(by_stage.get(stage, ())) for stage in (1, 2)}


def _rounds(run: RunFolder) -> Iterator[Row]:
    for record in run.records:
        memory, energy = record.memory, record.energy
        yield {
            **_identity(record),
            "round": record.round,
            "attempt": record.attempt,
            "outcome": record.outcome.value,
            "failure": record.failure.message if record.failure else None,
            "started_utc": record.started_utc,
            **record.times.model_dump(),
            **{f"step_{stage}_s": step_metric(stage).of(record) for stage in (1, 2)},
            "mlx_peak_bytes": memory.mlx_peak_bytes,
            "mlx_mean_denoising_bytes": memory.mlx_mean_denoising_bytes,
            "footprint_peak_bytes": memory.footprint_peak_bytes,
            "footprint_source": memory.footprint_source,
            "device_peak_bytes": memory.device_peak_bytes,
            "swapped_out_bytes": memory.swapped_out_bytes,
            "samples": memory.samples,
            "longest_gap_s": memory.longest_gap_s,
            "sampler_cpu_s": memory.sampler_cpu_s,
            "generation_j": energy.generation_j if energy else None,
            "total_j": energy.total_j if energy else None,
            "frames_sha256": record.video.frames_sha256 if record.video else None,
        }


def _steps(run: RunFolder) -> Iterator[Row]:
    """`warm` tells the steps that the medians are made of; the warm-up's own steps are `cold`."""
    for record in run.records:
        seen: dict[int, int] = {}
        warm = {stage: len(times) for stage, times in warm_steps(record).items()}
        counts = {stage: sum(step.stage == stage for step in record.steps) for stage in warm}
        for step in record.cold_steps:
            yield {**_identity(record), "round": record.round, "kind": "cold", **step.model_dump()}
        for step in record.steps:
            seen[step.stage] = seen.get(step.stage, 0) + 1
            first = seen[step.stage] <= counts.get(step.stage, 0) - warm.get(step.stage, 0)
            yield {
                **_identity(record),
                "round": record.round,
                "kind": "first" if first else "warm",
                **step.model_dump(),
            }


def _phases(run: RunFolder) -> Iterator[Row]:
    for record in run.records:
        for part in record.phases:
            yield {
                **_identity(record),
                "round": record.round,
                **part.model_dump(exclude={"phase"}),
                "phase": part.phase.value,
            }


def _samples(run: RunFolder) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for record in run.records:
        series = run.memory_series(record.case.name, record.round)
        if series is not None and len(series):
            own = _identity(record) | {"round": record.round}
            parts.append(series.assign(**own)[[*own, *series.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


_ROWS: Mapping[Level, Callable[[RunFolder], Iterator[Row]]] = {
    Level.CASE: _cases,
    Level.ROUND: _rounds,
    Level.STEP: _steps,
    Level.PHASE: _phases,
}


def _identity(record: CaseRecord) -> Row:
    case = record.case
    return {
        "number": record.number,
        "case": case.name,
        "title": case.title,
        "model": case.model_label,
        "steps": case.steps_label,
        "guidance": case.guidance,
        "resolution": case.resolution_label,
    }


def _median(rounds: tuple[CaseRecord, ...], value: Callable[[CaseRecord], float | None]) -> float | None:
    return _of(tuple(known for record in rounds if (known := value(record)) is not None))


def _of(values: tuple[float, ...]) -> float | None:
    return median(values) if values else None


def _highest(rounds: tuple[CaseRecord, ...], value: Callable[[CaseRecord], int | None]) -> int | None:
    return max((known for record in rounds if (known := value(record)) is not None), default=None)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
