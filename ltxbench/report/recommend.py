"""What the figures alone recommend: speed and memory. Nothing here knows how a picture looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ltxbench.report import format as fmt
from ltxbench.report.badges import closed, doubts
from ltxbench.report.figures import finished, recommendable
from ltxbench.report.measured import Measured, measured
from ltxbench.report.page import Remark
from ltxbench.report.results import Results
from ltxbench.trust.comparison import Result, compare_cases

Value = Callable[[Measured], float | None]
FASTEST = "fastest"
MEMORY_GIB = (16, 24, 32, 48, 64, 96, 128)
"""Sizes that machines come in."""


def recommendation(results: Results) -> tuple[Remark, ...]:
    """The best case by each figure among those that finished without a warning; ties as printed are named together.

    Figures in doubt are recommended with the doubt, and the fastest case with the answer of the test against the next.
    """
    candidates = [case for case in measured(results) if recommendable(case.record)]
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
            numbers = tuple(case.record.number for case in best)
            by_case.setdefault(numbers, []).append((lead, written(value(best[0]))))
    named = {case.record.number: case for case in candidates}
    best_remarks = []
    for numbers, figures in by_case.items():
        chosen = [named[number] for number in numbers]
        leads = [lead for lead, _ in figures]
        text = f"{_names(chosen, len(candidates))} ({', '.join(text for _, text in figures)})."
        if FASTEST in leads:
            text += _beside_the_next(results, chosen, candidates) + _doubts(results, chosen)
        best_remarks.append(Remark(_sentence_case(fmt.listed(leads)), text))
    return (*best_remarks, *_within_memory(results, candidates), *remarks)


def _within_memory(results: Results, candidates: Sequence[Measured]) -> list[Remark]:
    """The fastest case whose peak stays within each limit; limits of one answer are named together."""
    known = [
        (peak, time_s, case)
        for case in candidates
        if (peak := case.peak_bytes) is not None and (time_s := case.generation_s) is not None
    ]
    if not known:
        return []
    found: dict[str, list[int]] = {}
    named: dict[int, Measured] = {}
    for limit in MEMORY_GIB:
        fitting = [(time_s, case) for peak, time_s, case in known if peak <= limit * fmt.GIB]
        best = _best([case for _, case in fitting], lambda case: case.generation_s, fmt.seconds)
        text = f"{_names(best, 0)} ({fmt.seconds(best[0].generation_s)})" if best else "none"
        found.setdefault(text, []).append(limit)
        named |= {case.record.number: case for case in best}
    told = [f"{_limits(limits)}: {text}" for text, limits in found.items()]
    text = f"{'; '.join(told)}. A machine needs more than this peak of MLX's.{_doubts(results, [*named.values()])}"
    return [Remark("Fastest that fits in", text)]


def _limits(limits: Sequence[int]) -> str:
    if limits[-1] == MEMORY_GIB[-1]:
        return f"{limits[0]} GiB{' or more' if len(limits) > 1 else ''}"
    return f"{limits[0]}{f' to {limits[-1]}' if len(limits) > 1 else ''} GiB"


def _beside_the_next(results: Results, chosen: Sequence[Measured], candidates: Sequence[Measured]) -> str:
    """Whether the fastest case is faster than the next one, or only came out so."""
    known = sorted(
        (time_s, place) for place, case in enumerate(candidates) if (time_s := case.generation_s) is not None
    )
    order = [candidates[place] for _, place in known]
    following = next((case for case in order if case not in chosen), None)
    if following is None or len(chosen) > 1:
        return ""
    names = following.record.case.name, chosen[0].record.case.name
    found = compare_cases(results.stored, *names, verdict=results.verdict).metrics[0]
    told = f"#{following.record.number} is next ({fmt.seconds(following.generation_s)})"
    if found.result in (Result.FASTER, Result.SLOWER):
        return f" {told}: {found.sentence}."
    return f" {told}; the difference is {_DOUBT.get(found.result, found.result.value)}: {closed(found.sentence)}"


_DOUBT = {Result.SAME: "none"}


def _doubts(results: Results, chosen: Sequence[Measured]) -> str:
    found = [(case, doubt) for case in chosen if (doubt := doubts(results, case.record.case.name))]
    return "".join(f" #{case.record.number} is {doubt}." for case, doubt in found)


def _best(candidates: Sequence[Measured], value: Value, written: Callable[[float | None], str]) -> list[Measured]:
    known = [(figure, case) for case in candidates if (figure := value(case)) is not None]
    if not known:
        return []
    lowest = written(min(figure for figure, _ in known))
    return [case for figure, case in known if written(figure) == lowest]


def _excluded(results: Results) -> str:
    warned = [record.number for record in results.records if finished(record) and record.case.warning]
    failed = [record.number for record in results.records if not finished(record)]
    missing = [number for number, _ in results.not_run]
    reasons = [(warned, "marked with a warning"), (failed, "did not finish"), (missing, "not run")]
    parts = [f"{fmt.cases(numbers)} ({reason})" for numbers, reason in reasons if numbers]
    return f"{', '.join(parts)}." if parts else ""


def _names(cases: Sequence[Measured], of: int) -> str:
    if len(cases) == of:
        return "the same for all"
    if len(cases) == 1:
        return _name(cases[0])
    return fmt.cases(case.record.number for case in cases)


def _name(case: Measured) -> str:
    return f"#{case.record.number} {case.record.case.title}"


def _sentence_case(words: str) -> str:
    return words[:1].upper() + words[1:]


_CRITERIA: tuple[tuple[str, Value, Callable[[float | None], str]], ...] = (
    (FASTEST, lambda case: case.generation_s, fmt.seconds),
    ("lowest peak memory", lambda case: case.peak_bytes, fmt.gib),
    ("lowest mean memory", lambda case: case.mean_bytes, fmt.gib),
)
