"""Cases of several rounds, with whatever figures a test needs."""

from __future__ import annotations

from collections.abc import Sequence

from ltxbench.matrix import Case
from ltxbench.report.build import build
from ltxbench.report.page import Page
from ltxbench.report.render import render
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord, RunRecord
from ltxbench.run.store import representative
from tests.report.runs import make_matrix, make_record, make_run


def repeated(case: Case, number: int, generation_s: Sequence[float], **changes: object) -> list[CaseRecord]:
    """One record a round; `changes` are made to every one."""
    record = make_record(case, number)
    return [
        record.model_copy(
            update={
                "round": place,
                "times": record.times.model_copy(update={"generation_s": seconds}),
                "steps": steady(record, seconds / record.times.generation_s),
                **changes,
            }
        )
        for place, seconds in enumerate(generation_s, start=1)
    ]


def steady(record: CaseRecord, scale: float) -> tuple[object, ...]:
    """The same steps without the wobble that make_record gives them, slower by `scale`."""
    base = {stage.index: next(s.step_s for s in record.steps if s.stage == stage.index) for stage in record.case.stages}
    return tuple(step.model_copy(update={"step_s": base[step.stage] * scale}) for step in record.steps)


def results_of(*cases: Sequence[CaseRecord], **run: object) -> Results:
    records = tuple(representative(rounds) for rounds in cases)
    matrix = make_matrix([record.case for record in records])
    of_run: RunRecord = make_run(matrix).model_copy(update={"selected": tuple(c.name for c in matrix.cases), **run})
    return Results(of_run, records, {}, tuple(record for rounds in cases for record in rounds))


def page_of(results: Results) -> Page:
    return build(results, {}, [])


def text_of(results: Results) -> str:
    return render(page_of(results))
