"""Step times of all cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ltxbench.report.plots import style
from ltxbench.report.plots.labels import spread
from ltxbench.run.records import CaseRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM = 6.0
"""Ratio of the longest to the shortest step from which the axis is logarithmic."""
SPLIT_FROM = 2.0
"""Cases with this many times more steps than the next get a panel of their own."""


def has_data(record: CaseRecord) -> bool:
    return bool(record.steps)


def caption(count: int) -> str:
    if count <= style.FEW:
        return (
            "One line a case. A gap and hollow marks show the second stage, which runs at twice the width and height. "
            "The first step of a stage includes compiling."
        )
    return "One row a case, one field a step. A white line divides the first stage from the second."


def draw(records: Sequence[CaseRecord]) -> Figure:
    return _lines(records) if len(records) <= style.FEW else _map(records)


def _lines(records: Sequence[CaseRecord]) -> Figure:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = _panels(records)
    figure = style.new_figure(4.2 if len(records) > 3 else 3.2, ConstrainedLayoutEngine(w_pad=0.12))
    widths = [1.0 + 0.5 * place for place in range(len(panels))]
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=widths)[0]
    every = [step.step_s for record in records for step in record.steps]
    log = min(every) > 0 and max(every) / min(every) >= LOG_FROM
    for place, (axis, members) in enumerate(zip(axes, panels, strict=True)):
        for record in members:
            _line(axis, record)
        axis.set_xlabel("step")
        axis.locator_params(axis="x", integer=True)
        if place == 0:
            axis.set_ylabel("seconds a step" + (" (log scale)" if log else ""))
    _limits(axes[0], every, log)
    for axis in axes:
        style.plain_numbers(axis.yaxis, log=log)
    for axis, members in zip(axes, panels, strict=True):
        _name_lines(figure, axis, members)
    return figure


def _panels(records: Sequence[CaseRecord]) -> list[list[CaseRecord]]:
    """Cases of few steps and cases of many, apart, so that neither is squeezed: divided where the counts jump most."""
    ordered = sorted(records, key=lambda record: (len(record.steps), record.number))
    jumps = [len(after.steps) / len(before.steps) for before, after in pairwise(ordered)]
    if max(jumps, default=1) < SPLIT_FROM:
        return [ordered]
    place = jumps.index(max(jumps)) + 1
    return [ordered[:place], ordered[place:]]


def _line(axis: Axes, record: CaseRecord) -> None:
    colour = style.colour(record.number)
    for stage in record.case.stages:
        steps = [step for step in record.steps if step.stage == stage.index]
        axis.plot(
            [step.index for step in steps],
            [step.step_s for step in steps],
            color=colour,
            linewidth=1.5,
            marker="o",
            markersize=4,
            markerfacecolor="white" if stage.index > 1 else colour,
        )


def _limits(axis: Axes, every: Sequence[float], log: bool) -> None:
    if log:
        axis.set_yscale("log")
        axis.set_ylim(min(every) / 1.25, max(every) * 1.25)
    else:
        axis.set_ylim(0, max(every) * 1.1 or 1)


def _name_lines(figure: Figure, axis: Axes, records: Sequence[CaseRecord]) -> None:
    """Each line's name to the right of its panel, joined to the line's end."""
    ends = [(max(step.index for step in record.steps), record.steps[-1].step_s) for record in records]
    last = max(end for end, _ in ends)
    to_share = axis.transAxes.inverted()
    heights = [to_share.transform(axis.transData.transform(end))[1] for end in ends]
    figure_height_pt = figure.get_size_inches()[1] * 72 * 0.8
    places = spread(heights, 1.35 * style.SMALL_PT / figure_height_pt, 0.0, 1.0)
    for record, end, place in zip(records, ends, places, strict=True):
        colour = style.colour(record.number)
        axis.annotate(
            style.label(record.number, record.case.title, 26),
            xy=end,
            xycoords="data",
            xytext=(1.05, place),
            textcoords="axes fraction",
            color=style.text_colour(colour),
            fontsize=style.SMALL_PT,
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.8,
                "alpha": 0.6,
                "relpos": (0.0, 0.5),
                "shrinkA": 1,
                "shrinkB": 4,
            },
        )
    axis.set_xlim(-0.5, last + 0.5)


def _map(records: Sequence[CaseRecord]) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    width = max(step.index for record in records for step in record.steps) + 1
    seconds = np.full((len(records), width), np.nan)
    for row, record in enumerate(records):
        for step in record.steps:
            seconds[row, step.index] = step.step_s
    low, high = np.nanmin(seconds), np.nanmax(seconds)
    norm = LogNorm(low, high) if low > 0 and high / low >= LOG_FROM else Normalize(min(0.0, low), high)
    height_in = _map_height_in(len(records))
    figure = style.new_figure(height_in) if len(records) <= style.MANY else style.map_figure(height_in)
    axis = figure.subplots()
    scale = ScalarMappable(norm, "viridis")
    style.show_map(axis, seconds, scale, (-0.5, width - 0.5))
    _boundaries(axis, records)
    name_rows(axis, records)
    axis.grid(visible=False)
    axis.set_xlabel("step")
    axis.locator_params(axis="x", integer=True)
    bar = figure.colorbar(scale, ax=axis, label="seconds a step", fraction=0.04, pad=0.01, aspect=40)
    style.plain_numbers(bar.ax.yaxis, log=isinstance(norm, LogNorm))
    return figure


def _boundaries(axis: Axes, records: Sequence[CaseRecord]) -> None:
    """One line with gaps: a file of a thousand small ones takes long to write and to show."""
    across: list[float] = []
    down: list[float] = []
    for row, record in enumerate(records):
        starts = [step.index for step in record.steps if step.stage == 2]
        if starts:
            across += [min(starts) - 0.5] * 2 + [math.nan]
            down += [row - 0.5, row + 0.5, math.nan]
    axis.plot(across, down, color="white", linewidth=2.5, solid_capstyle="butt", scalex=False, scaley=False)


def _map_height_in(rows: int) -> float:
    return 1.2 + (0.18 * rows if rows <= style.MANY else 10.0)


def name_rows(axis: Axes, records: Sequence[CaseRecord]) -> None:
    """One row a case: names up to MANY cases, beyond that every so-manieth number."""
    if len(records) <= style.MANY:
        axis.set_yticks(range(len(records)), [style.label(record.number, record.case.title, 30) for record in records])
    else:
        shown = range(0, len(records), -(-len(records) // 25))
        axis.set_yticks(list(shown), [f"#{records[row].number}" for row in shown])
    axis.tick_params(axis="y", length=0)
