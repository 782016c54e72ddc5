"""The table that every page begins with: what was run and how it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ltxbench.matrix.case import Case
from ltxbench.report import format as fmt
from ltxbench.report.badges import Badges
from ltxbench.report.figures import finished, outcome_title
from ltxbench.report.measured import Measured, measured
from ltxbench.report.page import Cell, Column, Definition, Table
from ltxbench.report.results import Results
from ltxbench.run.records import TIME_DEFINITIONS, CaseRecord
from ltxbench.trust.samples import GENERATION

WARNED = "⚠"
NOT_RUN = "not run"


def anchor(case: Case) -> str:
    return f"case-{case.name}"


def resolution(case: Case) -> str:
    return case.resolution_label.replace("->", "→")


def performance(results: Results, badges: Badges) -> Table:
    """The published columns, the spread where a case has several rounds, and the badges.

    The lowest time and memory are bold among the cases that finished, ties included.
    """
    cases = measured(results)
    spread = any(len(case.rounds) > 1 for case in cases)
    columns = [
        Column("#", numeric=True),
        Column("Configuration"),
        Column("Model"),
        Column("Steps"),
        Column("CFG", numeric=True),
        Column("Resolution"),
        Column("Time", numeric=True),
        *([Column("Spread", numeric=True)] if spread else []),
        Column("Peak memory", numeric=True),
        Column("Mean memory", numeric=True),
        Column("Trust"),
    ]
    figures = [_measured(case) for case in cases]
    for place, value in enumerate(_BEST):
        _embolden(figures, place, cases, value)
    rows = []
    for case, (time, *memory_cells) in zip(cases, figures, strict=True):
        record = case.record
        own = [time, *([Cell(_spread(case))] if spread else []), *memory_cells, Cell(badges.line(record.case.name))]
        rows.append((record.number, (*_identity(record.number, record.case), *own)))
    empty = [Cell(fmt.MISSING)] * (4 if spread else 3)
    rows += [(number, (*_identity(number, case), Cell(NOT_RUN), *empty)) for number, case in results.not_run]
    return Table(tuple(columns), tuple(cells for _, cells in sorted(rows, key=lambda row: row[0])))


def performance_definitions(results: Results) -> tuple[Definition, ...]:
    several = any(len(case.rounds) > 1 for case in measured(results))
    median_of = "the median over the rounds of " if several else ""
    definitions = [
        Definition("Time", f"{median_of}generation: {TIME_DEFINITIONS['generation']}"),
        *([Definition("Spread", "the fastest and the slowest round")] if several else []),
        Definition("Peak memory", "MLX's highest allocation from start to finish, loading included"),
        Definition("Mean memory", "mean of MLX's active memory over the samples taken while denoising"),
        Definition("Trust", "whether these figures are valid, and what limits them: see below"),
    ]
    return tuple(definitions)


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


def _measured(case: Measured) -> list[Cell]:
    if not finished(case.record):
        return [Cell(outcome_title(case.record)), Cell(fmt.MISSING), Cell(fmt.MISSING)]
    return [Cell(fmt.seconds(case.generation_s)), Cell(fmt.gib(case.peak_bytes)), Cell(fmt.gib(case.mean_bytes))]


def _spread(case: Measured) -> str:
    found = tuple(case.samples(GENERATION).values())
    return fmt.span(min(found), max(found)) if len(found) > 1 else fmt.MISSING


def _embolden(
    rows: list[list[Cell]], place: int, cases: Sequence[Measured], value: Callable[[Measured], float | None]
) -> None:
    """Marks the lowest figures, unless all finished cases have the same one."""
    figures = [(row, value(case)) for row, case in zip(rows, cases, strict=True) if finished(case.record)]
    known = [(row, figure) for row, figure in figures if figure is not None]
    if not known:
        return
    lowest = min(known, key=lambda pair: pair[1])[0][place].text
    best = [row for row, _ in known if row[place].text == lowest]
    if len(best) == len(known) > 1:
        return
    for row in best:
        row[place] = replace(row[place], bold=True)


_BEST: tuple[Callable[[Measured], float | None], ...] = (
    lambda case: case.generation_s,
    lambda case: case.peak_bytes,
    lambda case: case.mean_bytes,
)
