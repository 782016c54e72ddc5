"""The plots of a page, as SVG and PNG, and their data. matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished
from ltxbench.report.manifest import Sources
from ltxbench.report.measured import typical
from ltxbench.report.page import Plot
from ltxbench.report.plots import data, memory, phases, rounds, steps, style, tradeoff
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_all(results: Results, folder: Path, sources: Sources | None = None, *, draw: bool = True) -> tuple[Plot, ...]:
    """Writes every plot that has data into `folder`, as SVG and PNG, and beside it what it shows as JSON.

    Cases without data are left out, and the caption says which. sources: takes what the pictures were made from.
    draw: without, only the JSON is written.
    """

    def has_memory(record: CaseRecord) -> bool:
        series = results.memory.get(record.case.name)
        return series is not None and series.measured

    repeated = rounds.times(results)
    kinds = (
        _Kind("steps", "Step times", steps.has_data, steps.draw, steps.caption, data.steps),
        _Kind("phases", "Where the time goes", phases.has_data, phases.draw, phases.caption, data.phases),
        _Kind(
            "memory",
            "Memory over time",
            has_memory,
            lambda some: memory.draw(some, results.memory),
            memory.caption,
            lambda some: data.memory(some, results.memory),
        ),
        _Kind(
            "tradeoff",
            "Time against peak memory",
            tradeoff.has_data,
            lambda some: tradeoff.draw([typical(results, record) for record in some]),
            tradeoff.caption,
            lambda some: data.tradeoff([typical(results, record) for record in some]),
        ),
        _Kind(
            "rounds",
            "Spread of the rounds",
            lambda record: record.case.name in repeated,
            lambda some: rounds.draw(some, repeated),
            rounds.caption,
            lambda some: data.rounds(some, repeated),
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    with style.styled():
        for kind in kinds:
            shown = [record for record in results.records if kind.has_data(record)]
            if not shown:
                continue
            text = data.text(kind.name, kind.data(shown))
            (folder / f"{kind.name}.json").write_text(text, encoding="utf-8", newline="\n")
            if draw:
                style.save(kind.draw(shown), folder, kind.name)
            svg, png, table = (f"{folder.name}/{kind.name}.{suffix}" for suffix in ("svg", "png", "json"))
            if sources is not None:
                for picture in (svg, png):
                    sources.add(picture, text)
            words = f"{kind.caption(len(shown))}{_cut_short(shown)}{_left_out(results, shown)}"
            plots.append(Plot(kind.title, svg, png, words, table))
    return tuple(plots)


@dataclass(frozen=True)
class _Kind:
    name: str
    title: str
    has_data: Callable[[CaseRecord], bool]
    draw: Callable[[Sequence[CaseRecord]], Figure]
    caption: Callable[[int], str]
    data: Callable[[Sequence[CaseRecord]], data.Rows]


def _cut_short(shown: Sequence[CaseRecord]) -> str:
    failed = [record.number for record in shown if not finished(record)]
    return f" Did not finish, shown as far as recorded: {fmt.cases(failed)}." if failed else ""


def _left_out(results: Results, shown: Sequence[CaseRecord]) -> str:
    missing = {record.number for record in results.records} - {record.number for record in shown}
    missing |= {number for number, _ in results.not_run}
    return f" Left out for lack of data: {fmt.cases(missing)}." if missing else ""
