"""What a page is made from: a run's record, every round of its cases, memory series, and what was concluded of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ltxbench.audit.records import Audit, read_audit
from ltxbench.matrix.case import Case
from ltxbench.quality import stored as quality
from ltxbench.quality.records import QualityRecord
from ltxbench.report import memory_series
from ltxbench.report.memory_series import MemorySeries
from ltxbench.run.records import CaseRecord, RunRecord
from ltxbench.run.store import RunFolder, in_order
from ltxbench.trust.verdict import CaseVerdict, Verdict, run_verdict

Made = TypeVar("Made")


@dataclass(frozen=True)
class Results:
    run: RunRecord
    records: tuple[CaseRecord, ...]
    """One a case, the round that stands for it (store.representative), in the matrix's order; a case that was not
    reached has none."""
    memory: Mapping[str, MemorySeries] = field(default_factory=dict)
    """By the case's name."""
    rounds: tuple[CaseRecord, ...] = ()
    """Every round of every case, the check included; `records` where it is empty."""
    quality: Mapping[str, QualityRecord] = field(default_factory=dict)
    """What was measured on the pictures, by the case's name."""
    audit: Audit | None = None
    worked_out: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What both pages need and is costly, by name; see once."""

    @cached_property
    def stored(self) -> RunFolder:
        """The records as the store gives them; its path leads nowhere."""
        return RunFolder(Path(), self.run, in_order(self.rounds or self.records))

    def rounds_of(self, name: str) -> tuple[CaseRecord, ...]:
        """The timed rounds of a case that have ended."""
        return self.stored.rounds_of(name)

    @cached_property
    def verdict(self) -> Verdict:
        return run_verdict(self.stored)

    @cached_property
    def _verdicts(self) -> Mapping[str, CaseVerdict]:
        return {case.name: case for case in self.verdict.cases}

    def verdict_of(self, name: str) -> CaseVerdict:
        """One without reasons for a case that was not asked for."""
        return self._verdicts.get(name) or CaseVerdict(name, ())

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives, made at the first call for `name`."""
        if name not in self.worked_out:
            self.worked_out[name] = make()
        made: Made = self.worked_out[name]
        return made

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
    """Raises ResultError when a memory series, a record of quality or the audit is torn."""
    series = {record.case.name: memory_series.read(run, record) for record in run.cases}
    return Results(
        run.record,
        run.cases,
        {name: found for name, found in series.items() if found is not None},
        run.records,
        quality.of_run(run),
        read_audit(run.path),
    )
