"""How every plot looks: fonts, colours, sizes, and files that do not change from one rendering to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ltxbench.run.records import Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import LayoutEngine

WIDTH_IN = 9.0
"""864 CSS pixels: about the width of a page on GitHub, so that nothing is scaled down much."""
FONT_PT = 9.0
SMALL_PT = 8.0
PNG_DPI = 144

# Okabe and Ito's palette for colour-blind readers, its yellow darkened to show on white, and two more of its kind.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B8860B", "#000000", "#E69F00", "#7F3C8D", "#8C8C8C")
FEW = len(PALETTE)
"""Up to so many cases, each has a colour of its own."""
MANY = 60
"""Above this, cases are drawn as rows of a map, without names."""

READABLE_LUMINANCE = 1.05 / 4.5 - 0.05
INK = "#1F2328"
GRID = "#D0D7DE"

PHASE_COLOURS = {
    Phase.LOAD: "#BDBDBD",
    Phase.WARM_UP: "#E6D3B3",
    Phase.QUANTIZE: "#8C8C8C",
    Phase.LORA: "#5F5F5F",
    Phase.ENHANCE: "#7F3C8D",
    Phase.ENCODE: "#CC79A7",
    Phase.DENOISE_1: "#0072B2",
    Phase.UPSCALE: "#F0E442",
    Phase.DENOISE_2: "#56B4E9",
    Phase.DECODE: "#009E73",
    Phase.EXPORT: "#D55E00",
}

_RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.labelsize": FONT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6E7781",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",  # opaque: the page may be dark
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a `$` in a title is a `$`
    "svg.hashsalt": "ltxbench",
    "svg.fonttype": "path",
    "path.simplify": True,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save within this."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(height_in: float, layout: LayoutEngine | Literal["constrained"] | None = "constrained") -> Figure:
    """A figure of its own, known to no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def map_figure(height_in: float, *, top_in: float = 0.15, right_in: float = 0.7) -> Figure:
    """For rows without names: margins that are known need no search for a layout, which costs a second."""
    figure = new_figure(height_in, layout=None)
    figure.subplots_adjust(0.6 / WIDTH_IN, 0.5 / height_in, 1 - right_in / WIDTH_IN, 1 - top_in / height_in)
    return figure


def show_map(axis: Axes, values: npt.NDArray[np.float64], scale: ScalarMappable, width: tuple[float, float]) -> None:
    """One row a case, the first on top. Coloured here, once: an axis does it for every file, at the file's size.

    values: rows, columns; NaN stays empty
    width: of all columns on the horizontal axis
    """
    colours = scale.to_rgba(np.ma.masked_invalid(values), bytes=True)
    extent = (*width, len(values) - 0.5, -0.5)
    axis.imshow(colours, aspect="auto", interpolation="nearest", extent=extent)


def settle(figure: Figure) -> None:
    """Lays the figure out, once: what follows draws it as it is."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes NAME.svg and NAME.png; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    settle(figure)
    # Not savefig: it draws every figure twice, the first time to look for a layout.
    FigureCanvasSVG(figure).print_svg(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    canvas = FigureCanvasAgg(figure)
    figure.dpi = PNG_DPI
    canvas.print_png(folder / f"{name}.png", metadata={"Software": None})


def colour(number: int) -> str:
    """The colour of case `number`, the same in every plot; distinct up to FEW cases."""
    return PALETTE[(number - 1) % len(PALETTE)]


def text_colour(colour: str) -> str:
    """The same hue, dark enough to read on white (WCAG 2 asks for a contrast of 4.5)."""
    from matplotlib.colors import to_hex, to_rgb

    shade = to_rgb(colour)
    while _luminance(shade) > READABLE_LUMINANCE:
        shade = (0.95 * shade[0], 0.95 * shade[1], 0.95 * shade[2])
    return to_hex(shade)


def _luminance(shade: tuple[float, float, float]) -> float:
    red, green, blue = (((part + 0.055) / 1.055) ** 2.4 if part > 0.04045 else part / 12.92 for part in shade)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def label(number: int, title: str, limit: int = 32) -> str:
    """`#6 Dev + LoRA + Upscaler`, shortened, with a box for what the font does not have."""
    words = " ".join(title.split())
    if len(words) > limit:
        words = words[: limit - 1].rstrip() + "…"
    glyphs = _glyphs()
    drawable = "".join(letter if ord(letter) in glyphs else "\u25a1" for letter in words)
    return f"#{number} {drawable}".strip()


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def plain_numbers(axis: Axis, *, log: bool) -> None:
    """Ticks such as 0.5, 1, 2, 5, 10, also on a log axis. After the limits are set."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if log:
        low, high = sorted(axis.get_view_interval())
        axis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
