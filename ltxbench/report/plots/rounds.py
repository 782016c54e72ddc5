"""How far the rounds of each case lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from ltxbench.report.measured import measure
from ltxbench.report.plots import style
from ltxbench.report.plots.steps import name_rows
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord
from ltxbench.trust.samples import GENERATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Times = Mapping[str, Mapping[int, float]]
"""Generation in seconds, by the case's name and the round."""


def times(results: Results) -> Times:
    """Only of cases with several rounds to compare."""
    found = {record.case.name: measure(results, record).samples(GENERATION) for record in results.records}
    return {name: own for name, own in found.items() if len(own) > 1 and median(own.values()) > 0}


def caption(_count: int) -> str:
    return "Each dot is one round's generation time beside its case's median; a narrow row repeats well."


def draw(records: Sequence[CaseRecord], known: Times) -> Figure:
    named = len(records) <= style.MANY
    height_in = 0.8 + max(0.9, (0.3 if len(records) <= style.FEW else 0.2) * len(records)) if named else 11.0
    figure = style.new_figure(height_in) if named else style.map_figure(height_in, right_in=0.2)
    axis = figure.subplots()
    axis.axvline(0, color=style.GRID, linewidth=1.2, zorder=1)
    for row, record in enumerate(records):
        own = list(known[record.case.name].values())
        apart = [100 * (value / median(own) - 1) for value in own]
        colour = style.colour(record.number) if named else style.INK
        axis.plot([min(apart), max(apart)], [row, row], color=colour, linewidth=1, alpha=0.6, rasterized=not named)
        size = 5 if named else 1
        axis.plot(apart, [row] * len(apart), "o", color=colour, markersize=size, alpha=0.8, rasterized=not named)
    axis.set_xlabel("% from the case's median generation time")
    axis.grid(visible=False, axis="y")
    axis.set_ylim(len(records) - 0.5, -0.5)
    name_rows(axis, records)
    return figure
