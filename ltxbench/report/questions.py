"""Is the quantized case really faster? One answer for each case that differs from another in its precision alone."""

from __future__ import annotations

from ltxbench.report import format as fmt
from ltxbench.report.badges import closed, doubts
from ltxbench.report.compare import twins
from ltxbench.report.measured import Measured, measured
from ltxbench.report.page import Question
from ltxbench.report.results import Results
from ltxbench.trust.comparison import CaseComparison, MetricComparison, Result
from ltxbench.trust.samples import LOAD

_ANSWERS = {Result.FASTER: "Yes", Result.SLOWER: "No, slower", Result.SAME: "No, just as fast"}


MOST = 6
"""On a page: the others are answered in their cases' details."""


def questions(results: Results) -> tuple[Question, ...]:
    """Only of pairs in which both cases finished; up to MOST."""
    by_name = {case.record.case.name: case for case in measured(results)}
    return tuple(_question(results, by_name[found.old], by_name[found.new], found) for found in twins(results)[:MOST])


def unasked(results: Results) -> str | None:
    """Where the answers beyond MOST are."""
    numbers = {record.case.name: record.number for record in results.records}
    rest = [numbers[found.new] for found in twins(results)[MOST:]]
    return f"More such questions are answered in the details of {fmt.cases(rest)}." if rest else None


def _question(results: Results, old: Measured, new: Measured, found: CaseComparison) -> Question:
    times = [metric for metric in found.metrics if metric.metric != LOAD.name and metric.result is not Result.MISSING]
    text = [_time(metric) for metric in times]
    if old.mean_bytes is not None and new.mean_bytes is not None:
        saved = fmt.change(new.mean_bytes, old.mean_bytes)
        text.append(f"Memory held while denoising: {fmt.gib(old.mean_bytes)} to {fmt.gib(new.mean_bytes)}, {saved}.")
    doubted = [(case.record.number, doubts(results, case.record.case.name)) for case in (old, new)]
    text += [f"#{number} is {doubt}." for number, doubt in doubted if doubt]
    return Question(
        lead=f"Is {_name(new)} faster than {_name(old)}?",
        answer=_ANSWERS.get(found.result, "Not settled"),
        text=" ".join(text),
    )


def _time(metric: MetricComparison) -> str:
    figures = f"{fmt.seconds(metric.old_s)} to {fmt.seconds(metric.new_s)}"
    return closed(f"{metric.title}: {figures}, {metric.sentence}")


def _name(case: Measured) -> str:
    return f"#{case.record.number} {case.record.case.title}"
