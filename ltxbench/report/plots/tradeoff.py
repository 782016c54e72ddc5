"""Time against peak memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished
from ltxbench.report.plots import style
from ltxbench.report.plots.labels import Box, around
from ltxbench.run.records import CaseRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM = 6.0


def has_data(record: CaseRecord) -> bool:
    return finished(record) and record.times.generation_s is not None and record.memory.mlx_peak_bytes is not None


def caption(count: int) -> str:
    text = (
        "Further left is faster, further down needs less memory; the memory axis need not start at 0. "
        "Ringed: no other case is at least as good at both and better at one, as the table prints them."
    )
    if count > style.MANY:
        return text + " Only those carry their number."
    return text if count <= style.FEW else text + " The numbers are those of the tables."


def draw(records: Sequence[CaseRecord]) -> Figure:
    points = [_point(record) for record in records]
    figure = style.new_figure(4.2 if len(records) <= style.FEW else 5.6)
    axis = figure.subplots()
    best = front([_printed(record) for record in records])
    few = len(records) <= style.FEW
    colours = [style.colour(record.number) if few else style.PALETTE[0] for record in records]
    shade = colours if few else colours[:1]
    axis.scatter([x for x, _ in points], [y for _, y in points], c=shade, s=30 if few else 16, zorder=3)
    ringed = [points[index] for index in best]
    axis.scatter(
        [x for x, _ in ringed],
        [y for _, y in ringed],
        s=90,
        facecolors="none",
        edgecolors=style.INK,
        linewidths=0.9,
        zorder=3,
    )
    axis.set_xlabel("generation, seconds")
    axis.set_ylabel("peak MLX memory, GiB")
    _limits(axis, points)
    shown = best if len(records) > style.MANY else range(len(records))
    _name(figure, axis, [(points[index], records[index], colours[index]) for index in shown], points, few=few)
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point beats at one figure without losing at the other, fastest first."""
    order = sorted(range(len(points)), key=lambda index: points[index])
    kept: list[int] = []
    for index in order:
        if not kept or points[index][1] < points[kept[-1]][1] or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept


def _point(record: CaseRecord) -> tuple[float, float]:
    assert record.times.generation_s is not None
    assert record.memory.mlx_peak_bytes is not None
    return record.times.generation_s, record.memory.mlx_peak_bytes / fmt.GIB


def _printed(record: CaseRecord) -> tuple[float, float]:
    """As precise as the tables: a few bytes less is no better."""
    time_s, peak = _point(record)
    return fmt.significant(time_s, 3), float(fmt.plain_gib(peak * fmt.GIB))


def _limits(axis: Axes, points: Sequence[tuple[float, float]]) -> None:
    times = [x for x, _ in points]
    peaks = [y for _, y in points]
    log = min(times) > 0 and max(times) / min(times) >= LOG_FROM
    if log:
        axis.set_xlabel("generation, seconds (log scale)")
        axis.set_xlim(min(times) / 1.4, max(times) * 1.6)
    else:
        axis.set_xlim(0, max(times) * 1.2 or 1)
    low, high = min(peaks), max(peaks)
    room = max(high - low, 0.1 * high, 0.001)
    axis.set_ylim(max(0, low - 0.25 * room), high + 0.3 * room)
    if log:
        axis.set_xscale("log")
    style.plain_numbers(axis.xaxis, log=log)


def _name(
    figure: Figure,
    axis: Axes,
    named: Sequence[tuple[tuple[float, float], CaseRecord, str]],
    points: Sequence[tuple[float, float]],
    *,
    few: bool,
) -> None:
    """Labels beside their points, joined by a line where they had to move away."""
    from matplotlib.text import Text

    style.settle(figure)
    area = axis.get_window_extent()
    texts = [
        axis.annotate(
            style.label(record.number, record.case.title, 26) if few else str(record.number),
            xy=point,
            xytext=(0, 0),
            textcoords="figure fraction",
            fontsize=style.SMALL_PT,
            color=style.text_colour(colour),
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.6, "shrinkA": 0, "shrinkB": 3},
        )
        for point, record, colour in named
    ]
    sizes = []
    for text in texts:
        extent = Text.get_window_extent(text)  # an annotation's own includes its line
        sizes.append((extent.width + 3, extent.height + 1))
    own = [axis.transData.transform(point) for point, _, _ in named]
    others = [axis.transData.transform(point) for point in points if point not in {p for p, _, _ in named}]
    radius = 5 * figure.dpi / 72
    pixels = [(float(x), float(y)) for x, y in own]
    blocked = [(float(x), float(y)) for x, y in others]
    boxes = around(pixels, sizes, Box(area.x0, area.y0, area.x1, area.y1), radius, blocked)
    width, height = figure.bbox.size
    for text, box in zip(texts, boxes, strict=True):
        if box is None:
            text.remove()
        else:
            text.set_position(((box.left + 1.5) / width, (box.bottom + 1) / height))
