"""The plots of a page, as SVG and PNG. matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished
from ltxbench.report.page import Plot
from ltxbench.report.plots import memory, phases, steps, style, tradeoff
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_all(results: Results, folder: Path) -> tuple[Plot, ...]:
    """Writes every plot that has data into `folder`. Cases without data are left out, and the caption says which."""

    def has_memory(record: CaseRecord) -> bool:
        series = results.memory.get(record.case.name)
        return series is not None and series.measured

    kinds: tuple[tuple[str, str, _Filter, _Draw, Callable[[int], str]], ...] = (
        ("steps", "Step times", steps.has_data, steps.draw, steps.caption),
        ("phases", "Where the time goes", phases.has_data, phases.draw, phases.caption),
        ("memory", "Memory over time", has_memory, lambda some: memory.draw(some, results.memory), memory.caption),
        ("tradeoff", "Time against peak memory", tradeoff.has_data, tradeoff.draw, tradeoff.caption),
    )
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    with style.styled():
        for name, title, has_data, draw, caption in kinds:
            shown = [record for record in results.records if has_data(record)]
            if shown:
                style.save(draw(shown), folder, name)
                words = f"{caption(len(shown))}{_cut_short(shown)}{_left_out(results, shown)}"
                plots.append(Plot(title, f"{folder.name}/{name}.svg", f"{folder.name}/{name}.png", words))
    return tuple(plots)


_Filter = Callable[[CaseRecord], bool]
_Draw = Callable[[Sequence[CaseRecord]], "Figure"]


def _cut_short(shown: Sequence[CaseRecord]) -> str:
    failed = [record.number for record in shown if not finished(record)]
    return f" Did not finish, shown as far as recorded: {fmt.cases(failed)}." if failed else ""


def _left_out(results: Results, shown: Sequence[CaseRecord]) -> str:
    missing = {record.number for record in results.records} - {record.number for record in shown}
    missing |= {number for number, _ in results.not_run}
    return f" Left out for lack of data: {fmt.cases(missing)}." if missing else ""
