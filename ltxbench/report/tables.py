"""The tables over all cases: what was run and how it did, where the time went, where the memory went."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ltxbench.matrix.case import Case
from ltxbench.report import format as fmt
from ltxbench.report.figures import finished, outcome_title, phase_peak_bytes, phase_s, stage_steps, warm_mean_s
from ltxbench.report.page import Cell, Column, Definition, Table
from ltxbench.report.results import Results
from ltxbench.run.records import LOADING, TIME_DEFINITIONS, CaseRecord, Phase

WARNED = "⚠"
NOT_RUN = "not run"


def anchor(case: Case) -> str:
    return f"case-{case.name}"


def resolution(case: Case) -> str:
    return case.resolution_label.replace("->", "→")


def performance(results: Results) -> Table:
    """The published columns. The lowest time and memory are bold among the cases that finished, ties included."""
    columns = (
        Column("#", numeric=True),
        Column("Configuration"),
        Column("Model"),
        Column("Steps"),
        Column("CFG", numeric=True),
        Column("Resolution"),
        Column("Time", numeric=True),
        Column("Peak memory", numeric=True),
        Column("Mean memory", numeric=True),
    )
    measured = [_measured(record) for record in results.records]
    for place, value in enumerate((_time, _peak, _mean)):
        _embolden(measured, place, results.records, value)
    rows = [
        (record.number, (*_identity(record.number, record.case), *figures))
        for record, figures in zip(results.records, measured, strict=True)
    ]
    empty = Cell(fmt.MISSING)
    rows += [(number, (*_identity(number, case), Cell(NOT_RUN), empty, empty)) for number, case in results.not_run]
    return Table(columns, tuple(cells for _, cells in sorted(rows, key=lambda row: row[0])))


def times(results: Results) -> Table:
    """Finished cases in seconds, phase by phase, and the mean step of each stage."""
    shown = [record for record in results.records if finished(record)]
    two_stage = any(record.case.two_stage for record in shown)
    columns = [Column("#", numeric=True), Column("Configuration")]
    parts: list[tuple[str, Callable[[CaseRecord], float | None]]] = [
        ("Load", lambda record: record.times.load_s),
        ("Text", lambda record: phase_s(record, Phase.ENCODE)),
    ]
    first = "Stage 1" if two_stage else "Denoising"
    parts.append((first, lambda record: phase_s(record, Phase.DENOISE_1)))
    if two_stage:
        parts.append(("Upscale", lambda record: phase_s(record, Phase.UPSCALE)))
        parts.append(("Stage 2", lambda record: phase_s(record, Phase.DENOISE_2)))
    parts += [
        ("Decode", lambda record: phase_s(record, Phase.DECODE)),
        ("Export", lambda record: record.times.export_s),
        ("Wall", lambda record: record.times.wall_s),
    ]
    columns += [Column(title, numeric=True) for title, _ in parts]
    columns.append(Column("Mean step", numeric=True))
    rows = []
    for record in shown:
        cells = [Cell(fmt.plain_seconds(value(record))) for _, value in parts]
        rows.append((*label(record), *cells, Cell(mean_steps(record))))
    return Table(tuple(columns), tuple(rows))


def mean_steps(record: CaseRecord) -> str:
    """`8.40`, or `2.23 + 7.55` with two stages."""
    means = [fmt.plain_seconds(warm_mean_s(stage_steps(record, stage.index))) for stage in record.case.stages]
    return fmt.MISSING if set(means) == {fmt.MISSING} else " + ".join(means)


def memory(results: Results) -> Table:
    """Finished cases in GiB: MLX's peak in each part of the run, and the process's own."""
    parts: list[tuple[str, tuple[Phase, ...]]] = [
        ("Load", LOADING),
        ("Text", (Phase.ENCODE,)),
        ("Denoising", (Phase.DENOISE_1, Phase.DENOISE_2)),
        ("Upscale", (Phase.UPSCALE,)),
        ("Decode", (Phase.DECODE,)),
    ]
    shown = [record for record in results.records if finished(record)]
    parts = [part for part in parts if any(phase_peak_bytes(record, *part[1]) is not None for record in shown)]
    columns = [Column("#", numeric=True), Column("Configuration")]
    columns += [Column(title, numeric=True) for title, _ in parts]
    columns += [Column("Whole case", numeric=True), Column("Process", numeric=True)]
    rows = []
    for record in shown:
        cells = [Cell(fmt.plain_gib(phase_peak_bytes(record, *phases))) for _, phases in parts]
        whole, process = record.memory.mlx_peak_bytes, record.memory.footprint_peak_bytes
        rows.append((*label(record), *cells, Cell(fmt.plain_gib(whole)), Cell(fmt.plain_gib(process))))
    return Table(tuple(columns), tuple(rows))


def performance_definitions() -> tuple[Definition, ...]:
    return (
        Definition("Time", f"generation: {TIME_DEFINITIONS['generation']}"),
        Definition("Peak memory", "MLX's highest allocation from start to finish, loading included"),
        Definition("Mean memory", "mean of MLX's active memory over the samples taken while denoising"),
    )


def time_definitions(results: Results) -> tuple[Definition, ...]:
    two_stage = any(record.case.two_stage for record in results.records if finished(record))
    return (
        Definition("Text", "encoding the prompt"),
        *([Definition("Stage 1, stage 2", "denoising")] if two_stage else []),
        *(Definition(name.capitalize(), TIME_DEFINITIONS[name]) for name in ("load", "export", "wall")),
        Definition("Mean step", "of each stage without its first step, which also compiles what the stage needs"),
    )


def memory_definitions(results: Results) -> tuple[Definition, ...]:
    sources = sorted({record.memory.footprint_source for record in results.records} - {None}, key=str)
    process = "the most the case's process ever held"
    if sources:
        process += f": {', '.join(str(source) for source in sources)}"
    return (
        Definition("Process", process),
        Definition("GiB", "1,073,741,824 bytes (2³⁰)"),
    )


def _identity(number: int, case: Case) -> tuple[Cell, ...]:
    mark = WARNED if case.warning else ""
    return (
        Cell(str(number)),
        Cell(case.title, anchor=anchor(case), mark=mark),
        Cell(case.model_label),
        Cell(case.steps_label),
        Cell(fmt.number(case.guidance)),
        Cell(resolution(case)),
    )


def label(record: CaseRecord) -> tuple[Cell, ...]:
    return Cell(str(record.number)), Cell(record.case.title, anchor=anchor(record.case))


def _measured(record: CaseRecord) -> list[Cell]:
    if not finished(record):
        return [Cell(outcome_title(record)), Cell(fmt.MISSING), Cell(fmt.MISSING)]
    return [Cell(fmt.seconds(_time(record))), Cell(fmt.gib(_peak(record))), Cell(fmt.gib(_mean(record)))]


def _embolden(
    rows: list[list[Cell]], place: int, records: Iterable[CaseRecord], value: Callable[[CaseRecord], float | None]
) -> None:
    """Marks the lowest figures, unless all finished cases have the same one."""
    figures = [(row, value(record)) for row, record in zip(rows, records, strict=True) if finished(record)]
    known = [(row, figure) for row, figure in figures if figure is not None]
    if not known:
        return
    lowest = min(known, key=lambda pair: pair[1])[0][place].text
    best = [row for row, _ in known if row[place].text == lowest]
    if len(best) == len(known) > 1:
        return
    for row in best:
        row[place] = replace(row[place], bold=True)


def _time(record: CaseRecord) -> float | None:
    return record.times.generation_s


def _peak(record: CaseRecord) -> float | None:
    return record.memory.mlx_peak_bytes


def _mean(record: CaseRecord) -> float | None:
    return record.memory.mlx_mean_denoising_bytes
