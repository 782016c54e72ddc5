"""A stored run, shortened to an entry."""

from __future__ import annotations

import hashlib

from ltxbench.errors import ResultError
from ltxbench.matrix.case import PRESENTATION, Case
from ltxbench.quality import stored as quality
from ltxbench.regression.entry import CaseEntry, Entry, Kind, MachineEntry
from ltxbench.run import store
from ltxbench.run.store import RunFolder
from ltxbench.trust.comparability import Side, conditions, side
from ltxbench.trust.reasons import Code, Grade
from ltxbench.trust.samples import MEMORY, samples, time_metrics
from ltxbench.trust.verdict import Verdict, run_verdict

ELSEWHERE = frozenset({Code.NOT_FINISHED, Code.FEW_ROUNDS})
"""Failures that the gate has words of its own for: outcomes, and the rounds of a whole window of runs."""


def take_run(run: RunFolder) -> Entry:
    """Raises ResultError for figures that were measured elsewhere, and for quality that is torn."""
    record = run.record
    if record.imported is not None:
        raise ResultError(
            f"{run.path}: its figures were measured elsewhere, and nothing here can be compared with them by test",
            hint="Measure with `ltxbench bench`.",
        )
    verdict = run_verdict(run)
    scores = {name: each.quality.artifacts.score for name, each in quality.of_run(run).items()}
    chosen = record.selected or tuple(case.name for case in record.matrix.cases)
    machine = record.machine
    file = run.path / store.RUN_FILE
    return Entry(
        kind=Kind.RUN,
        id=record.id,
        created_utc=record.created_utc,
        matrix=record.matrix.name,
        machine=MachineEntry(
            chip=machine.chip, accelerator=machine.accelerator, memory_bytes=machine.memory_bytes, os=machine.os
        ),
        weights=record.weights.kind,
        engine=record.engine,
        commit=machine.git_commit,
        source_sha256=hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None,
        matmul_flops_per_s=record.matmul.flops_per_s if record.matmul else None,
        selected=chosen,
        cases=tuple(
            _case(found, verdict, scores.get(case.name))
            for case in record.matrix.cases
            if case.name in chosen and (found := side(run, case.name)) is not None
        ),
        invalid=tuple(reason.sentence for reason in verdict.reasons if reason.grade is Grade.FAILURE),
    )


def _case(found: Side, verdict: Verdict, score: float | None) -> CaseEntry:
    name = found.case.name
    rounds = found.run.rounds_of(name)
    judged = verdict.of(name)
    failures = judged.failures if judged is not None else ()
    metrics = (*time_metrics(found.case), *MEMORY)
    lost = next((record.failure for record in rounds if record.failure is not None), None)
    return CaseEntry(
        name=name,
        outcomes=tuple(record.outcome.value for record in rounds),
        failure=lost.message[:2_000] if lost else None,
        conditions=conditions(found),
        settings=settings(found.case),
        samples={metric.name: values for metric in metrics if (values := samples(rounds, metric))},
        frames_sha256=tuple(
            dict.fromkeys(record.video.frames_sha256 for record in found.rounds if record.video is not None)
        ),
        artifact_score=score,
        invalid=tuple(reason.sentence for reason in failures if reason.code not in ELSEWHERE),
    )


def settings(case: Case) -> dict[str, str]:
    return {field: str(getattr(case, field)) for field in Case.model_fields if field not in PRESENTATION}
