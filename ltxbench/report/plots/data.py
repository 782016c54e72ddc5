"""What each plot shows, as JSON: this is compared when a page is checked, since pixels change with matplotlib.

One case a line, so that a comparison of two files names the case. Seconds and bytes with six significant digits: no
less than a picture can show, and no more than every machine computes alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ltxbench.report.figures import phase_s
from ltxbench.report.memory_series import MemorySeries, Series
from ltxbench.report.plots import style
from ltxbench.report.plots.memory import POINTS, thinned
from ltxbench.run.records import CaseRecord

Rows = list[dict[str, Any]]
MAP_POINTS = 100
"""Of a series, where there are too many cases to name."""


def text(plot: str, rows: Rows) -> str:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return f'{{"plot": {json.dumps(plot)}, "cases": [\n{lines}\n]}}\n'


def steps(records: Sequence[CaseRecord]) -> Rows:
    return [
        _row(record, steps=[[step.stage, step.index, _rounded(step.step_s)] for step in record.steps])
        for record in records
    ]


def phases(records: Sequence[CaseRecord]) -> Rows:
    rows = []
    for record in records:
        taken = {part.phase: phase_s(record, part.phase) for part in record.phases}
        rows.append(_row(record, phase_s={phase.value: _rounded(value) for phase, value in taken.items()}))
    return rows


def memory(records: Sequence[CaseRecord], series: Mapping[str, MemorySeries]) -> Rows:
    points = POINTS if len(records) <= style.MANY else MAP_POINTS
    rows = []
    for record in records:
        own = series[record.case.name]
        parts = {}
        for name, values in (("mlx_active_bytes", own.active_bytes), ("footprint_bytes", own.footprint_bytes)):
            if np.isfinite(values).any():
                time_s, kept = thinned(own.time_s, values, points)
                parts[name] = [_list(time_s), _list(kept)]
        rows.append(_row(record, **parts))
    return rows


def tradeoff(records: Sequence[CaseRecord]) -> Rows:
    return [
        _row(record, generation_s=_rounded(record.times.generation_s), mlx_peak_bytes=record.memory.mlx_peak_bytes)
        for record in records
    ]


def rounds(records: Sequence[CaseRecord], times_s: Mapping[str, Mapping[int, float]]) -> Rows:
    return [
        _row(record, generation_s={str(number): _rounded(value) for number, value in times_s[record.case.name].items()})
        for record in records
    ]


def _row(record: CaseRecord, **shown: object) -> dict[str, Any]:
    return {"number": record.number, "name": record.case.name, "title": record.case.title, **shown}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _list(values: Series) -> list[float | None]:
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]
