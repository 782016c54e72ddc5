"""Where the time of each case went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ltxbench.report import format as fmt
from ltxbench.report.figures import PHASE_TITLES, phase_s
from ltxbench.report.plots import style
from ltxbench.report.plots.steps import name_rows
from ltxbench.run.records import CaseRecord, Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORDER = (
    Phase.LOAD,
    Phase.QUANTIZE,
    Phase.LORA,
    Phase.ENHANCE,
    Phase.ENCODE,
    Phase.DENOISE_1,
    Phase.UPSCALE,
    Phase.DENOISE_2,
    Phase.DECODE,
    Phase.EXPORT,
)


def has_data(record: CaseRecord) -> bool:
    return sum(part.duration_s for part in record.phases) > 0


def caption(_count: int) -> str:
    return "Left: seconds, all phases from loading to export. Right: each phase's share of its case."


def draw(records: Sequence[CaseRecord]) -> Figure:
    present = [phase for phase in ORDER if any(part.phase is phase for record in records for part in record.phases)]
    seconds = np.array([[phase_s(record, phase) or 0.0 for phase in present] for record in records])
    totals = seconds.sum(axis=1)
    legend_rows = -(-len(present) // 5)
    named = len(records) <= style.MANY
    height_in = _height_in(len(records)) + 0.2 * legend_rows
    figure = (
        style.new_figure(height_in)
        if named
        else style.map_figure(height_in, top_in=0.2 + 0.2 * legend_rows, right_in=0.2)
    )
    absolute, share = figure.subplots(1, 2, sharey=True, gridspec_kw=None if named else {"wspace": 0.06})
    _stack(absolute, seconds, present)
    _stack(share, 100 * seconds / totals[:, None], present)
    absolute.set_xlabel("seconds")
    absolute.set_xlim(0, totals.max() * 1.17)
    share.set_xlabel("% of the case")
    share.set_xlim(0, 100)
    for axis in (absolute, share):
        axis.grid(visible=False, axis="y")
    absolute.set_ylim(len(records) - 0.5, -0.5)
    name_rows(absolute, records)
    share.tick_params(axis="y", length=0)
    if named:
        for row, total in enumerate(totals):
            absolute.annotate(
                fmt.seconds(float(total)),
                (total, row),
                xytext=(3, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontsize=style.SMALL_PT,
            )
    handles, names = absolute.get_legend_handles_labels()
    columns = min(5, len(present))
    if named:
        figure.legend(handles, names, loc="outside upper center", ncols=columns)
    else:
        figure.legend(handles, names, loc="upper center", ncols=columns)
    return figure


def _stack(axis: Axes, values: npt.NDArray[np.float64], phases: Sequence[Phase]) -> None:
    """Bars, or one outline a phase where there are too many rows to tell bars apart."""
    rows = np.arange(len(values))
    left = np.zeros(len(values))
    for column, phase in enumerate(phases):
        right = left + values[:, column]
        colour, name = style.PHASE_COLOURS[phase], PHASE_TITLES[phase]
        if len(values) <= style.MANY:
            axis.barh(rows, values[:, column], left=left, height=0.72, color=colour, label=name)
        else:
            edges = np.repeat(np.arange(len(values) + 1) - 0.5, 2)[1:-1]
            inner, outer = np.repeat(left, 2), np.repeat(right, 2)
            # As an image: outlines of a thousand rows are megabytes of SVG.
            axis.fill_betweenx(edges, inner, outer, linewidth=0, color=colour, label=name, rasterized=True)
        left = right


def _height_in(rows: int) -> float:
    if rows > style.MANY:
        return 11.0
    return 0.9 + max(1.0, (0.34 if rows <= style.FEW else 0.2) * rows)
