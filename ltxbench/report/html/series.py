"""What the plots draw: steps, phases and thinned memory of a case, as short lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ltxbench.report.figures import PHASE_TITLES
from ltxbench.report.format import GIB
from ltxbench.report.html.embed import digits
from ltxbench.report.memory_series import MemorySeries
from ltxbench.run.records import CaseRecord

POINTS = 24_000
"""Memory points on a page, shared by its cases."""
MOST_POINTS = 400
FEWEST_POINTS = 40


def points_a_case(cases: int) -> int:
    return max(FEWEST_POINTS, min(MOST_POINTS, POINTS // max(1, cases)))


def steps(record: CaseRecord) -> list[list[Any]]:
    """[index, stage, seconds] of each step."""
    return [[step.index, step.stage, digits(step.step_s)] for step in record.steps]


def phases(record: CaseRecord) -> list[list[Any]]:
    """[title, start in seconds, duration in seconds], neighbours of one phase joined."""
    joined: list[list[Any]] = []
    for part in record.phases:
        title = PHASE_TITLES[part.phase]
        if joined and joined[-1][0] == title:
            joined[-1][2] = part.start_s + part.duration_s - joined[-1][1]
        else:
            joined.append([title, part.start_s, part.duration_s])
    return [[title, digits(start), digits(duration)] for title, start, duration in joined]


def memory(series: MemorySeries | None, points: int) -> dict[str, list[float | None]] | None:
    """Seconds, and GiB of MLX and of the process, thinned so that every peak and every trough stays."""
    if series is None or not series.measured:
        return None
    kept = thinned([series.active_bytes, series.footprint_bytes], points)
    return {
        "t": [digits(float(value)) for value in series.time_s[kept]],
        "active": [digits(float(value) / GIB, 4) for value in series.active_bytes[kept]],
        "process": [digits(float(value) / GIB, 4) for value in series.footprint_bytes[kept]],
    }


def thinned(columns: list[npt.NDArray[np.float64]], points: int) -> npt.NDArray[np.intp]:
    """Indices of about `points` samples: both ends, and every column's lowest and highest of each stretch."""
    length = len(columns[0])
    if length <= points:
        return np.arange(length)
    each = -(-length // max(1, points // (2 * len(columns))))
    starts = np.arange(0, length, each)
    kept = [np.array([0, length - 1])]
    for column in columns:
        padded = np.full(len(starts) * each, np.nan)
        padded[:length] = column
        stretches = padded.reshape(len(starts), each)
        known = np.isfinite(stretches)
        some = known.any(axis=1)
        lowest = np.where(known, stretches, np.inf).argmin(axis=1)
        highest = np.where(known, stretches, -np.inf).argmax(axis=1)
        kept += [(starts + lowest)[some], (starts + highest)[some]]
    return np.unique(np.concatenate(kept))
