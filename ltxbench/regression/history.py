"""Each case's figures over the runs of a baseline, with the steps in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ltxbench.regression.entry import Entry
from ltxbench.regression.steps import Step, steps
from ltxbench.regression.windows import separating


@dataclass(frozen=True)
class Point:
    entry: Entry
    value: float


@dataclass(frozen=True)
class Series:
    """One metric of one case, under conditions that can be compared; the next series begins where they change."""

    matrix: str
    case: str
    metric: str
    points: tuple[Point, ...]
    began: tuple[str, ...]
    """In what it differs from the series before; empty for the first, and for a level that was accepted."""
    steps: tuple[Step, ...]


def history(entries: Iterable[Entry], *, metrics: Sequence[str] = (), cases: Sequence[str] = ()) -> tuple[Series, ...]:
    """Of entries with the oldest first; without a choice every metric and case. What was accepted is a step, too."""
    by_case: dict[tuple[str, str, str, str], list[Entry]] = {}
    for entry in entries:
        for case in entry.cases:
            if not cases or case.name in cases:
                chip = f"{entry.machine.chip} {entry.machine.accelerator} {entry.machine.memory_bytes}"
                by_case.setdefault((entry.matrix, chip, entry.engine or "", case.name), []).append(entry)
    found: list[Series] = []
    for (matrix, _, _, name), measured in by_case.items():
        began: tuple[str, ...] = ()
        segment: list[Entry] = []
        segments: list[tuple[tuple[str, ...], list[Entry]]] = []
        for entry in measured:
            differs = separating(segment[-1].by_name[name], entry.by_name[name]) if segment else ()
            if differs:
                segments.append((began, segment))
                began, segment = differs, []
            segment.append(entry)
        segments.append((began, segment))
        for why, each in segments:
            found += _of_segment(matrix, name, why, each, metrics)
    return tuple(found)


def _of_segment(
    matrix: str, name: str, began: tuple[str, ...], entries: Sequence[Entry], metrics: Sequence[str]
) -> list[Series]:
    names = dict.fromkeys(metric for entry in entries for metric in entry.by_name[name].levels)
    found = []
    for metric in names:
        if metrics and metric not in metrics:
            continue
        points = tuple(
            Point(entry, level)
            for entry in entries
            if (level := entry.by_name[name].levels.get(metric)) is not None and level > 0
        )
        if points:
            found.append(Series(matrix, name, metric, points, began, steps([point.value for point in points])))
    return found


def as_row(series: Series) -> dict[str, object]:
    """JSON-ready."""
    return {
        "matrix": series.matrix,
        "case": series.case,
        "metric": series.metric,
        "began": list(series.began),
        "points": [
            {
                "run": point.entry.id,
                "created_utc": point.entry.created_utc,
                "commit": point.entry.commit,
                "value": point.value,
                "accepted": series.case in point.entry.accepts,
            }
            for point in series.points
        ],
        "steps": [
            {
                "run": series.points[step.index].entry.id,
                "created_utc": series.points[step.index].entry.created_utc,
                "commit": series.points[step.index].entry.commit,
                "after_commit": series.points[step.index - 1].entry.commit,
                "before": step.before,
                "after": step.after,
                "ratio": step.ratio,
                "p": step.p,
            }
            for step in series.steps
        ],
    }
