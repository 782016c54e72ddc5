"""A quantized case beside the case that differs from it in nothing but the precision."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from ltxbench.matrix import twin
from ltxbench.matrix.case import Case, Quantization
from ltxbench.report import format as fmt
from ltxbench.report.badges import badge, closed, doubts
from ltxbench.report.figures import finished
from ltxbench.report.measured import Measured, measure
from ltxbench.report.page import Cell, Column, Remark, Table, TwinComparison
from ltxbench.report.quality import beside_twin
from ltxbench.report.results import Results
from ltxbench.report.tables import anchor
from ltxbench.run.records import CaseRecord
from ltxbench.trust.comparison import CaseComparison, MetricComparison, Result, compare_pairs

PICTURES = "How the pictures differ is not part of this table."


def compare_with_twins(results: Results) -> Mapping[str, TwinComparison]:
    """By the quantized case's name; only where both cases finished. All comparisons of a page share one error rate."""
    records = {record.case.name: record for record in results.records}
    return {found.new: _written(results, records[found.old], records[found.new], found) for found in twins(results)}


def twins(results: Results) -> tuple[CaseComparison, ...]:
    """Every pair of cases that differ in their precision alone and both finished, bf16 as the old side."""
    return results.once("twins compared", lambda: _twins(results))


def _twins(results: Results) -> tuple[CaseComparison, ...]:
    done = {record.case.name: record for record in results.records if finished(record)}
    alike: dict[Hashable, list[Case]] = {}
    for case in results.run.matrix.cases:
        if case.quantization is Quantization.BF16:
            alike.setdefault(_shape(case), []).append(case)
    others = {name: twin(record.case, alike.get(_shape(record.case), ())) for name, record in done.items()}
    pairs = [(other.name, name) for name, other in others.items() if other is not None and other.name in done]
    return compare_pairs(results.stored, pairs, verdict=results.verdict) if pairs else ()


def _shape(case: Case) -> Hashable:
    """The same for twins, and seldom for others: not every pair of a thousand cases is compared in full."""
    return case.model, case.steps, case.guidance, case.width, case.height, case.frames, case.seed


def _written(results: Results, old: CaseRecord, new: CaseRecord, found: CaseComparison) -> TwinComparison:
    columns = (
        Column("Figure"),
        Column(f"{old.case.quantization.value} (#{old.number})", numeric=True),
        Column(f"{new.case.quantization.value} (#{new.number})", numeric=True),
        Column("Difference", numeric=True),
        Column("Answer"),
    )
    before, after = measure(results, old), measure(results, new)
    rows = [_memory(title, value(before), value(after)) for title, value in _MEMORY]
    rows += [
        (
            Cell(_title(metric)),
            Cell(fmt.seconds(metric.old_s)),
            Cell(fmt.seconds(metric.new_s)),
            Cell(fmt.change(metric.new_s, metric.old_s)),
            Cell(answer(metric)),
        )
        for metric in found.metrics
        if metric.result is not Result.MISSING
    ]
    answers = tuple(
        Remark(f"{_title(metric)}, {answer(metric)}", closed(metric.sentence))
        for metric in found.metrics
        if metric.result is not Result.MISSING
    )
    remarks = [f"#{side.number}: {text}." for side in (old, new) if (text := doubts(results, side.case.name))]
    remarks += [f"The run: {badge(reason)}." for reason in results.verdict.reasons]
    return TwinComparison(
        f"#{old.number} {old.case.title}",
        anchor(old.case),
        Table(columns, tuple(rows)),
        answers,
        (*remarks, beside_twin(results, new.case.name) or PICTURES),
    )


def answer(metric: MetricComparison) -> str:
    """`slower`, `same within 3%`, `inconclusive`."""
    if metric.result is Result.SAME and metric.statistics is not None:
        return f"same within {metric.statistics.threshold:.0%}"
    return metric.result.value


def _title(metric: MetricComparison) -> str:
    words = {"load": "load, quantizing included", "step": "warm step"}.get(metric.title, metric.title)
    if words.startswith("step, stage"):
        words = f"warm {words}"
    return words[:1].upper() + words[1:]


def _memory(title: str, old: float | None, new: float | None) -> tuple[Cell, ...]:
    return Cell(title), Cell(fmt.gib(old)), Cell(fmt.gib(new)), Cell(fmt.change(new, old)), Cell("")


_MEMORY: tuple[tuple[str, Callable[[Measured], float | None]], ...] = (
    ("Mean memory while denoising", lambda case: case.mean_bytes),
    ("Peak memory, loading included", lambda case: case.peak_bytes),
    ("Peak of the process", lambda case: case.highest(lambda record: record.memory.footprint_peak_bytes)),
)
