"""What must be known about a case before its figures are believed: one short badge and one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ltxbench.report.badges import Badges, badge, closed
from ltxbench.report.figures import finished, outcome_title
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord
from ltxbench.trust.reasons import Code, Grade, Reason

Kind = Literal["bad", "warn", "note"]

MILD = frozenset({Code.SINGLE_SAMPLE, Code.INCOMPLETE})
"""They limit what follows from a figure; the figure itself is fine."""
NOT_RECOMMENDED = "not recommended"


@dataclass(frozen=True)
class Badge:
    kind: Kind
    text: str
    sentence: str
    advice: str = ""


def of_run(results: Results, judged: Badges) -> tuple[tuple[str, Badge], ...]:
    """What holds for the run or for every one of its cases, and which of the two."""
    run = [("The run", _judged(reason)) for reason in results.verdict.reasons]
    return (*run, *(("Every case", _judged(reason)) for reason in judged.shared))


def of_cases(results: Results, judged: Badges) -> Mapping[str, tuple[Badge, ...]]:
    """By the case's name, the gravest first; what all cases share is left out."""
    order: tuple[Kind, ...] = ("bad", "warn", "note")
    return {
        record.case.name: tuple(sorted(_of_case(record, judged), key=lambda item: order.index(item.kind)))
        for record in results.records
    }


def _of_case(record: CaseRecord, judged: Badges) -> list[Badge]:
    name = record.case.name
    found = []
    if not finished(record):
        message = record.failure.message if record.failure else "No reason was recorded."
        found.append(Badge("bad", outcome_title(record), message))
    if record.case.warning is not None:
        found.append(Badge("warn", NOT_RECOMMENDED, record.case.warning))
    found += [_judged(reason) for reason in judged.own(name) if reason.code is not Code.NOT_FINISHED]
    found += [Badge("warn", each.badge, closed(each.sentence)) for each in judged.findings.get(name, ())]
    return found


def _judged(reason: Reason) -> Badge:
    kind: Kind = "bad" if reason.grade is Grade.FAILURE else "note" if reason.code in MILD else "warn"
    return Badge(kind, badge(reason), closed(reason.sentence), closed(reason.advice))
