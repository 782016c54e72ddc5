"""A case's memory samples, read without pandas: a page of a thousand cases reads a thousand files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ltxbench.errors import ResultError
from ltxbench.regular import read_regular
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import MEMORY_FILE, RECORD_LIMIT_BYTES, RunFolder

Series = npt.NDArray[np.float64]
COLUMNS = ("time_s", "mlx_active_bytes", "footprint_bytes")


@dataclass(frozen=True)
class MemorySeries:
    """One case's memory samples; NaN where a counter could not be read."""

    time_s: Series
    active_bytes: Series
    footprint_bytes: Series

    @property
    def measured(self) -> bool:
        return bool(np.isfinite(self.active_bytes).any() or np.isfinite(self.footprint_bytes).any())


def read(run: RunFolder, record: CaseRecord) -> MemorySeries | None:
    """Of one round; None where it left no sample. Raises ResultError when the file is torn or leads elsewhere."""
    path = run.round_folder(record) / MEMORY_FILE
    if not path.exists():
        return None
    if not path.resolve().is_relative_to(run.path.resolve()):
        raise ResultError(f"{path}: leads out of the run's folder")
    try:
        return _parsed(path, read_regular(path, RECORD_LIMIT_BYTES).decode())
    except (OSError, ValueError, csv.Error) as error:
        raise ResultError(f"{path}: not a memory series ({error})") from None


def _parsed(path: Path, text: str) -> MemorySeries | None:
    """Raises ValueError for a cell that is no number, and for a row that is longer than the header."""
    header, *rows = csv.reader(text.splitlines(), strict=True) if text.strip() else ([],)
    if not rows:
        return None
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ResultError(f"{path.parent}: the memory series has no column {', '.join(missing)}")
    width = len(header)
    for number, row in enumerate(rows, start=2):
        if len(row) != width:
            if len(row) > width:
                raise ValueError(f"line {number} has {len(row)} cells, the header {width}")
            row += [""] * (width - len(row))  # cut short while it was written
    by_name = dict(zip(header, zip(*rows, strict=True), strict=True))
    return MemorySeries(*(np.array([float(cell or "nan") for cell in by_name[name]]) for name in COLUMNS))
