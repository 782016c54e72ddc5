"""The history as a picture: one panel a case, its levels and the steps between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ltxbench.errors import UsageError
from ltxbench.regression.history import Series
from ltxbench.run.files import make_folder, replacing

COLUMNS = 2
MOST_PANELS = 60
SUFFIXES = (".svg", ".png")
PAPER = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}
"""Under a text, so that the runs behind it do not cross it."""


def plot(found: Sequence[Series], path: Path) -> None:
    """Raises UsageError for another suffix, no series, and more panels than can be read; ResourceError."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: not a picture that can be drawn", hint="Give a name that ends in .svg or .png.")
    panels: dict[tuple[str, str, str], list[Series]] = {}
    for each in found:
        panels.setdefault((each.matrix, each.case, each.metric), []).append(each)
    if not panels or len(panels) > MOST_PANELS:
        raise UsageError(
            f"{len(panels)} panels cannot be drawn in one picture", hint="Choose with --matrix, --case and --metric."
        )
    rows = -(-len(panels) // COLUMNS)
    with mpl.rc_context(
        {"svg.hashsalt": "ltxbench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(11, 2.1 * rows + 0.4), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, COLUMNS, squeeze=False)
        for axes, ((_, case, metric), segments) in zip(grid.flat, panels.items(), strict=False):
            _panel(axes, case, metric, segments)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        make_folder(path.parent)
        with replacing(path) as temporary:
            figure.savefig(
                temporary,
                format=path.suffix[1:].lower(),
                dpi=130,
                metadata={"Date": None} if path.suffix.lower() == ".svg" else None,
            )


def _panel(axes: object, case: str, metric: str, segments: Sequence[Series]) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    gib = metric.endswith("_bytes")
    scale = 2.0**-30 if gib else 1.0
    start, runs = 0, sum(len(series.points) for series in segments)
    for number, series in enumerate(segments):
        places = range(start, start + len(series.points))
        values = [point.value * scale for point in series.points]
        axes.plot(places, values, ".", markersize=4, color="#3b6ea5", alpha=0.7)
        bounds = [0, *(step.index for step in series.steps), len(values)]
        for first, last in pairwise(bounds):
            level = sorted(values[first:last])[(last - first) // 2]
            axes.plot([start + first - 0.4, start + last - 0.6], [level, level], color="#1d3557", linewidth=1.6)
        for step in series.steps:
            worse = step.ratio > 1
            inward = _inward(start + step.index, runs)
            axes.annotate(
                f"{step.ratio - 1:+.1%}\n{series.points[step.index].entry.created_utc[:10]}",
                (start + step.index - 0.5, step.after * scale),
                xytext=(inward, 8 if worse else -20),
                textcoords="offset points",
                ha="left" if inward > 0 else "right",
                fontsize=7,
                color="#b3261e" if worse else "#1b7f3b",
                bbox=PAPER,
            )
            axes.axvline(start + step.index - 0.5, color="#b3261e" if worse else "#1b7f3b", linewidth=0.8, alpha=0.6)
        for place, point in zip(places, series.points, strict=True):
            if case in point.entry.accepts:
                axes.axvline(place - 0.5, color="#555555", linewidth=0.8, linestyle=":")
        if number:
            axes.axvline(start - 0.5, color="#555555", linewidth=1.0, linestyle="--")
            inward = _inward(start, runs)
            axes.annotate(
                (series.began or ("new series",))[0][:48],
                (start - 0.5, 0.98),
                xycoords=("data", "axes fraction"),
                xytext=(inward, 0),
                textcoords="offset points",
                ha="left" if inward > 0 else "right",
                fontsize=6.5,
                color="#555555",
                va="top",
                bbox=PAPER,
            )
        start += len(series.points)
    axes.margins(y=0.25)
    axes.set_title(f"{case}: {metric.rpartition('_')[0].replace('_', ' ')}", loc="left", fontsize=9, parse_math=False)
    axes.set_ylabel("GiB" if gib else "s")
    axes.set_xlabel(
        "run"
        if start < 3
        else f"run, {segments[0].points[0].entry.created_utc[:10]} to {segments[-1].points[-1].entry.created_utc[:10]}"
    )


def _inward(place: int, runs: int) -> int:
    """Points from a line to its text: to the side with more room, as text beyond the axes would make them narrower."""
    return 4 if place < runs / 2 else -4
