"""Runs made of step times, and changed in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.trust.simulation.chain import make_run

WOBBLE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.003, 0.996, 1.001)
STEADY = (9.7, 8.4, 8.4, 8.3, 8.4, 8.2, 8.1, 8.1)
THROTTLED = (8.3, 8.4, 8.7, 8.9, 11.6, 12.5, 11.5, 10.2)


def rounds(count: int, *, factor: float = 1.0, steps: Sequence[float] = (9.5, *[8.3] * 7)) -> list[list[float]]:
    """`count` rounds of these steps, each a little different."""
    return [[factor * WOBBLE[(index * 3) % 8] * step for step in steps] for index in range(count)]


def run_of(**cases: Sequence[Sequence[float]]) -> RunFolder:
    return make_run({name.replace("_", "-"): value for name, value in cases.items()})


def with_records(run: RunFolder, change: Callable[[CaseRecord], dict[str, object]]) -> RunFolder:
    return RunFolder(run.path, run.record, tuple(each.model_copy(update=change(each)) for each in run.records))


def with_run(run: RunFolder, **changes: object) -> RunFolder:
    return replace(run, record=run.record.model_copy(update=changes))


def with_machine(run: RunFolder, **changes: object) -> RunFolder:
    return with_run(run, machine=run.record.machine.model_copy(update=changes))
