"""A quantized case beside the case that differs from it in nothing but the precision."""

from __future__ import annotations

from collections.abc import Callable

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished, stage_steps, warm_mean_s
from ltxbench.report.page import Cell, Column, Table, TwinComparison
from ltxbench.report.tables import anchor
from ltxbench.run.records import CaseRecord

REMARK = (
    "One sample of each: a difference of a few percent may be chance, heat or whatever else the machine was doing. "
    "How the pictures differ is not part of this table."
)


def compare_with_twin(record: CaseRecord, twin: CaseRecord | None) -> TwinComparison | None:
    """None unless both cases finished."""
    if twin is None or not (finished(record) and finished(twin)):
        return None
    this, other = record.case.quantization.value, twin.case.quantization.value
    columns = (
        Column("Figure"),
        Column(f"{other} (#{twin.number})", numeric=True),
        Column(f"{this} (#{record.number})", numeric=True),
        Column("Difference", numeric=True),
    )
    new, old = record.memory, twin.memory
    rows = [
        _row("Mean memory while denoising", old.mlx_mean_denoising_bytes, new.mlx_mean_denoising_bytes, fmt.gib),
        _row("Peak memory, loading included", old.mlx_peak_bytes, new.mlx_peak_bytes, fmt.gib),
        _row("Peak of the process", old.footprint_peak_bytes, new.footprint_peak_bytes, fmt.gib),
    ]
    for stage in record.case.stages:
        title = f"Mean step, stage {stage.index}" if record.case.two_stage else "Mean step"
        before, after = (warm_mean_s(stage_steps(side, stage.index)) for side in (twin, record))
        rows.append(_row(title, before, after, fmt.seconds))
    rows += [
        _row("Generation", twin.times.generation_s, record.times.generation_s, fmt.seconds),
        _row("Load, quantizing included", twin.times.load_s, record.times.load_s, fmt.seconds),
    ]
    return TwinComparison(f"#{twin.number} {twin.case.title}", anchor(twin.case), Table(columns, tuple(rows)), REMARK)


def _row(title: str, old: float | None, new: float | None, written: Callable[[float | None], str]) -> tuple[Cell, ...]:
    return Cell(title), Cell(written(old)), Cell(written(new)), Cell(fmt.change(new, old))
