"""Memory over time, one panel a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ltxbench.report import format as fmt
from ltxbench.report.figures import PHASE_TITLES
from ltxbench.report.memory_series import MemorySeries, Series
from ltxbench.report.plots import style
from ltxbench.report.plots.phases import ORDER
from ltxbench.report.plots.steps import name_rows
from ltxbench.run.records import CaseRecord, Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVE, FOOTPRINT = "#0B3C5D", "#C1272D"
SHADE = 0.22
POINTS = 400
"""Kept of a series: the lowest and highest sample of each stretch, so that no peak is lost."""
BINS = 200


def caption(count: int) -> str:
    if count <= style.MANY:
        return "One panel a case, each with its own time axis and all with the same memory axis. Phases are shaded."
    return "One row a case, from its start to its end: MLX's active memory, or the process's where MLX has none."


def draw(records: Sequence[CaseRecord], memory: Mapping[str, MemorySeries]) -> Figure:
    if len(records) > style.MANY:
        return _map(records, memory)
    columns = min(len(records), 2 if len(records) <= style.FEW else 4)
    rows = -(-len(records) // columns)
    height_in = (1.75 if columns < 3 else 1.5) * rows + 1.0
    figure = style.new_figure(height_in, layout=None)
    # Panels of one size need no search for a layout, which takes seconds with dozens of them.
    edges = {"left": 0.55 / style.WIDTH_IN, "right": 0.985, "bottom": 0.5 / height_in, "top": 1 - 0.75 / height_in}
    axes = figure.subplots(
        rows, columns, sharey=True, squeeze=False, gridspec_kw={**edges, "hspace": 0.5, "wspace": 0.14}
    ).flat
    shaded: set[Phase] = set()
    for axis, record in zip(axes, records, strict=False):
        shaded |= {part.phase for part in record.phases}
        _panel(axis, record, memory[record.case.name], 40 if columns < 3 else 26)
    # Last: a limit set by hand ends the scaling to what other panels draw.
    figure.axes[0].set_ylim(bottom=0)
    for place, axis in enumerate(figure.axes):
        if place >= len(records):
            axis.remove()
        elif place >= len(records) - columns:
            axis.set_xlabel("seconds")
        if place % columns == 0 and place < len(records):
            axis.set_ylabel("GiB")
    _legend(figure, records, memory, shaded)
    return figure


def _panel(axis: Axes, record: CaseRecord, series: MemorySeries, title_length: int) -> None:
    for part in record.phases:
        axis.axvspan(
            part.start_s,
            part.start_s + part.duration_s,
            color=style.PHASE_COLOURS[part.phase],
            alpha=SHADE,
            linewidth=0,
        )
    for values, colour in ((series.footprint_bytes, FOOTPRINT), (series.active_bytes, ACTIVE)):
        if np.isfinite(values).any():
            time, kept = thinned(series.time_s, values)
            axis.plot(time, kept / fmt.GIB, color=colour, linewidth=1.2)
    axis.set_title(style.label(record.number, record.case.title, title_length), loc="left", fontsize=style.SMALL_PT)
    end = max([float(series.time_s[-1]), *(part.start_s + part.duration_s for part in record.phases)])
    axis.set_xlim(0, end or 1)
    axis.locator_params(axis="x", nbins=5)
    axis.locator_params(axis="y", nbins=4)


def thinned(time_s: Series, values: Series, points: int = POINTS) -> tuple[Series, Series]:
    """At most about `points` samples, with the lowest and the highest of every stretch among them."""
    if len(values) <= points:
        return time_s, values
    edges = np.linspace(0, len(values), points // 2 + 1).astype(int)
    kept: set[int] = {0, len(values) - 1}
    for start, end in pairwise(edges):
        stretch = values[start:end]
        if np.isfinite(stretch).any():
            kept |= {start + int(np.nanargmin(stretch)), start + int(np.nanargmax(stretch))}
        else:
            kept.add(int(start))
    chosen = sorted(kept)
    return time_s[chosen], values[chosen]


def _legend(
    figure: Figure, records: Sequence[CaseRecord], memory: Mapping[str, MemorySeries], shaded: set[Phase]
) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    series = [memory[record.case.name] for record in records]
    handles: list[Artist] = []
    if any(np.isfinite(one.active_bytes).any() for one in series):
        handles.append(Line2D([], [], color=ACTIVE, label="MLX active"))
    if any(np.isfinite(one.footprint_bytes).any() for one in series):
        handles.append(Line2D([], [], color=FOOTPRINT, label="process"))
    handles += [
        Patch(color=style.PHASE_COLOURS[phase], alpha=2 * SHADE, linewidth=0, label=PHASE_TITLES[phase])
        for phase in ORDER
        if phase in shaded
    ]
    figure.legend(handles=handles, loc="upper center", ncols=min(6, len(handles)))


def _map(records: Sequence[CaseRecord], memory: Mapping[str, MemorySeries]) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    rows = np.full((len(records), BINS), np.nan)
    for row, record in enumerate(records):
        series = memory[record.case.name]
        known = series.active_bytes if np.isfinite(series.active_bytes).any() else series.footprint_bytes
        finite = np.isfinite(known)
        time = series.time_s[finite]
        rows[row] = np.interp(np.linspace(time[0], time[-1], BINS), time, known[finite] / fmt.GIB)
    figure = style.map_figure(11.0)
    axis = figure.subplots()
    scale = ScalarMappable(Normalize(0, np.nanmax(rows)), "viridis")
    style.show_map(axis, rows, scale, (0, 100))
    name_rows(axis, records)
    axis.grid(visible=False)
    axis.set_xlabel("% of the case's time")
    figure.colorbar(scale, ax=axis, label="GiB", fraction=0.04, pad=0.01, aspect=40)
    return figure
