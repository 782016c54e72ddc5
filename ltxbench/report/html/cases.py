"""One case as the page's scripts get it: raw figures to sort, filter, draw and choose by, and the words beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ltxbench.matrix.case import Case
from ltxbench.report import format as fmt
from ltxbench.report.badges import doubts
from ltxbench.report.figures import finished, outcome_title, recommendable
from ltxbench.report.grids import OTHERS
from ltxbench.report.html import series
from ltxbench.report.html.badges import Badge
from ltxbench.report.html.columns import Column
from ltxbench.report.html.embed import digits
from ltxbench.report.html.media import Clip
from ltxbench.report.measured import Measured
from ltxbench.report.page import CaseDetail, Table, TwinComparison
from ltxbench.report.plots.tradeoff import front
from ltxbench.report.results import Results
from ltxbench.report.tables import NOT_RUN
from ltxbench.trust.samples import GENERATION

Json = dict[str, Any]


def cases(
    results: Results,
    all_measured: Sequence[Measured],
    columns: Sequence[Column],
    badges: Mapping[str, Sequence[Badge]],
    clips: Mapping[str, Clip],
    details: Mapping[str, CaseDetail],
) -> list[Json]:
    """In the matrix's order, cases that were not run among them."""
    groups = {group.name: group.title for group in results.run.matrix.groups}
    best = _front(all_measured)
    points = series.points_a_case(len(all_measured))
    found = []
    for case in all_measured:
        record = case.record
        name = record.case.name
        found.append(
            {
                **_identity(record.number, record.case, groups),
                "outcome": outcome_title(record),
                "excluded": _excluded(case),
                "doubt": doubts(results, name) if finished(record) else None,
                "badges": badges.get(name, ()),
                "time_s": case.generation_s,
                "peak_bytes": case.peak_bytes,
                "mean_bytes": case.mean_bytes,
                "front": record.number in best,
                "cells": {column.key: _cell(column, case) for column in columns},
                "rounds": {str(number): digits(value) for number, value in case.samples(GENERATION).items()},
                "steps": series.steps(record),
                "phases": series.phases(record),
                "memory": series.memory(results.memory.get(name), points),
                "clip": clips.get(name),
                "detail": _detail(details[name]) if name in details else None,
            }
        )
    for number, left_out in results.not_run:
        found.append({**_identity(number, left_out, groups), **_not_run()})
    found.sort(key=lambda case: case["n"])
    _mark_lowest(found, columns)
    return found


def _identity(number: int, case: Case, groups: Mapping[str, str]) -> Json:
    group = groups.get(case.group or "", OTHERS if groups else "")
    return {"n": number, "name": case.name, "title": case.title, "group": group}


def _not_run() -> Json:
    empty: Json = dict.fromkeys(("doubt", "time_s", "peak_bytes", "mean_bytes", "memory", "clip", "detail"))
    lists: Json = {"rounds": {}, "steps": [], "phases": []}
    badge = Badge("bad", NOT_RUN, "The run ended before this case.")
    return {**empty, **lists, "outcome": NOT_RUN, "excluded": NOT_RUN, "badges": (badge,), "front": False, "cells": {}}


def _excluded(case: Measured) -> str | None:
    """Why the case is never recommended."""
    record = case.record
    if not finished(record):
        return f"did not finish: {outcome_title(record)}"
    if not recommendable(record):
        return "marked with a warning"
    if case.generation_s is None or case.peak_bytes is None:
        return "time or peak memory not measured"
    return None


def _cell(column: Column, case: Measured) -> Json:
    value = column.value(case)
    if value.sort is None and value.text == fmt.MISSING:
        return {"t": value.text}
    return {"t": value.text, "v": digits(value.sort, 9) if isinstance(value.sort, float) else value.sort}


def _mark_lowest(found: Sequence[Json], columns: Sequence[Column]) -> None:
    """The lowest figures as printed, ties included, unless all are the same."""
    for column in columns:
        if not column.lowest_is_best:
            continue
        cells = [cell for case in found if (cell := case["cells"].get(column.key)) and cell.get("v") is not None]
        if not cells:
            continue
        lowest = min(cells, key=lambda cell: cell["v"])["t"]
        best = [cell for cell in cells if cell["t"] == lowest]
        if len(best) < len(cells) or len(cells) == 1:
            for cell in best:
                cell["best"] = True


def _front(cases: Sequence[Measured]) -> set[int]:
    """Cases that no other beats at time or peak memory without losing at the other, as the table prints them."""
    known = [case for case in cases if case.generation_s is not None and case.peak_bytes is not None]
    points = [
        (fmt.significant(case.generation_s or 0, 3), float(fmt.plain_gib(case.peak_bytes).replace(",", "")))
        for case in known
    ]
    return {known[index].record.number for index in front(points)}


def _detail(detail: CaseDetail) -> Json:
    profile = detail.profile
    return {
        "settings": detail.settings,
        "summary": detail.summary,
        "warning": detail.warning,
        "failure": detail.failure,
        "command": detail.command,
        "caption": detail.caption,
        "problem": detail.media.problem,
        "phases": _table(profile.phases) if profile and profile.phases else None,
        "steps": profile.steps if profile else None,
        "figures": [[d.term, d.meaning] for d in (*profile.memory, *profile.arithmetic)] if profile else [],
        "facts": [[d.term, d.meaning] for d in profile.facts] if profile else [],
        "twin": _twin(detail.twin) if detail.twin else None,
    }


def _twin(twin: TwinComparison) -> Json:
    answers = [f"{answer.lead}: {answer.text}" for answer in twin.answers]
    return {"label": twin.twin_label, "remarks": [*answers, *twin.remarks], **_table(twin.table)}


def _table(table: Table) -> Json:
    return {
        "columns": [[column.title, column.numeric] for column in table.columns],
        "rows": [[cell.text for cell in row] for row in table.rows],
    }
