"""What the figures alone recommend: speed and memory. Nothing here knows how a picture looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished, recommendable
from ltxbench.report.page import Remark
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord

Value = Callable[[CaseRecord], float | None]


def recommendation(results: Results) -> tuple[Remark, ...]:
    """The best case by each figure among those that finished without a warning; ties as printed are named together."""
    candidates = [record for record in results.records if recommendable(record)]
    remarks = [Remark("Not considered", reason) for reason in [_excluded(results)] if reason]
    if not candidates:
        return (Remark("Nothing to recommend", "no case finished without a warning."), *remarks)
    if len(candidates) == 1:
        only = candidates[0]
        return (Remark("Nothing to compare", f"only {_name(only)} finished without a warning."), *remarks)
    by_case: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for lead, value, written in _CRITERIA:
        best = _best(candidates, value, written)
        if best:
            numbers = tuple(record.number for record in best)
            by_case.setdefault(numbers, []).append((lead, written(value(best[0]))))
    named = {record.number: record for record in candidates}
    best_remarks = []
    for numbers, figures in by_case.items():
        who = _names([named[number] for number in numbers], len(candidates))
        lead = _sentence_case(fmt.listed([lead for lead, _ in figures]))
        best_remarks.append(Remark(lead, f"{who} ({', '.join(text for _, text in figures)})."))
    return (*best_remarks, *remarks)


def _best(candidates: Sequence[CaseRecord], value: Value, written: Callable[[float | None], str]) -> list[CaseRecord]:
    known = [(figure, record) for record in candidates if (figure := value(record)) is not None]
    if not known:
        return []
    lowest = written(min(figure for figure, _ in known))
    return [record for figure, record in known if written(figure) == lowest]


def _excluded(results: Results) -> str:
    warned = [record.number for record in results.records if finished(record) and record.case.warning]
    failed = [record.number for record in results.records if not finished(record)]
    missing = [number for number, _ in results.not_run]
    reasons = [(warned, "marked with a warning"), (failed, "did not finish"), (missing, "not run")]
    parts = [f"{fmt.cases(numbers)} ({reason})" for numbers, reason in reasons if numbers]
    return f"{', '.join(parts)}." if parts else ""


def _names(records: Sequence[CaseRecord], of: int) -> str:
    if len(records) == of:
        return "the same for all"
    if len(records) == 1:
        return _name(records[0])
    return fmt.cases(record.number for record in records)


def _name(record: CaseRecord) -> str:
    return f"#{record.number} {record.case.title}"


def _sentence_case(words: str) -> str:
    return words[:1].upper() + words[1:]


_CRITERIA: tuple[tuple[str, Value, Callable[[float | None], str]], ...] = (
    ("fastest", lambda record: record.times.generation_s, fmt.seconds),
    ("lowest peak memory", lambda record: record.memory.mlx_peak_bytes, fmt.gib),
    ("lowest mean memory", lambda record: record.memory.mlx_mean_denoising_bytes, fmt.gib),
)
