"""What a page is made from: a run's record, the records of its cases, and their memory series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ltxbench.errors import ResultError
from ltxbench.matrix.case import Case
from ltxbench.run.records import CaseRecord, RunRecord
from ltxbench.run.store import RunFolder

Series = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MemorySeries:
    """One case's memory samples; NaN where a counter could not be read."""

    time_s: Series
    active_bytes: Series
    footprint_bytes: Series

    @property
    def measured(self) -> bool:
        return bool(np.isfinite(self.active_bytes).any() or np.isfinite(self.footprint_bytes).any())


@dataclass(frozen=True)
class Results:
    run: RunRecord
    records: tuple[CaseRecord, ...]
    """In the matrix's order; a case that was not reached has none."""
    memory: Mapping[str, MemorySeries] = field(default_factory=dict)
    """By the case's name."""

    @property
    def not_run(self) -> tuple[tuple[int, Case], ...]:
        """(number, case) of the cases that were asked for and left no record."""
        recorded = {record.case.name for record in self.records}
        asked = set(self.run.selected) or {case.name for case in self.run.matrix.cases}
        return tuple(
            (number, case)
            for number, case in enumerate(self.run.matrix.cases, start=1)
            if case.name in asked and case.name not in recorded
        )


def read(run: RunFolder) -> Results:
    """Raises ResultError when a memory series is torn."""
    series = {record.case.name: _series(run, record.case.name) for record in run.cases}
    return Results(run.record, run.cases, {name: found for name, found in series.items() if found is not None})


def _series(run: RunFolder, name: str) -> MemorySeries | None:
    frame = run.memory_series(name)
    columns = ("time_s", "mlx_active_bytes", "footprint_bytes")
    if frame is None or frame.empty:
        return None
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ResultError(f"{run.case_folder(name)}: the memory series has no column {', '.join(missing)}")
    return MemorySeries(*(frame[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in columns))
