"""A LaTeX table (booktabs) of a run's cases, or of any frame."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ltxbench.report import format as fmt

if TYPE_CHECKING:
    import pandas as pd

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "→": r"$\rightarrow$",
    "−": r"$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "°": r"\textdegree{}",
    "²": r"$^{2}$",
    "³": r"$^{3}$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "\u00a0": "~",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]+")

HEADINGS: Mapping[str, str] = {
    "number": "#",
    "title": "Configuration",
    "model": "Model",
    "steps": "Steps",
    "guidance": "CFG",
    "resolution": "Resolution",
    "generation_s": "Time (s)",
    "generation_mad_s": "MAD (s)",
    "mlx_peak_bytes": "Peak (GiB)",
    "mlx_mean_denoising_bytes": "Mean (GiB)",
    "generation_j": "Energy (J)",
    "verdict": "Verdict",
}
"""Of the table over cases: a table in a paper has no room for all columns."""
ALWAYS = ("number", "title", "model", "steps", "guidance", "resolution", "generation_s", "mlx_peak_bytes", "verdict")


def escape(text: str) -> str:
    """Text that LaTeX prints as it is. Letters beyond ASCII stay: XeLaTeX, LuaLaTeX and UTF-8 LaTeX read them."""
    plain = " ".join(_CONTROL.sub(" ", text).split(" "))
    return "".join(_SPECIAL.get(letter, letter) for letter in plain)


def cases_table(frame: pd.DataFrame) -> str:
    """The columns of HEADINGS, those without any value left out, with bytes in GiB."""
    shown = [name for name in HEADINGS if name in frame and (name in ALWAYS or frame[name].notna().any())]
    return _tabular(frame[shown], [HEADINGS[name] for name in shown])


def whole_table(frame: pd.DataFrame) -> str:
    """Every column, headed by its name, which has the unit."""
    return _tabular(frame, list(frame.columns))


def _tabular(frame: pd.DataFrame, headings: list[str]) -> str:
    names = list(frame.columns)
    numeric = [_numeric(frame, name) for name in names]
    alignment = "".join("r" if number else "l" for number in numeric)
    gib = {name for name, heading in zip(names, headings, strict=True) if heading.endswith("(GiB)")}
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        " & ".join(escape(heading) for heading in headings) + r" \\",
        r"\midrule",
    ]
    for row in frame.itertuples(index=False, name=None):
        cells = (
            _cell(value, in_gib=name in gib, measured=name != "guidance")
            for name, value in zip(names, row, strict=True)
        )
        lines += [" & ".join(cells) + r" \\"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _numeric(frame: pd.DataFrame, name: str) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(frame[name])


def _cell(value: Any, *, in_gib: bool, measured: bool) -> str:
    """Empty for what is absent."""
    import pandas as pd

    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if in_gib:
        return fmt.plain_gib(float(value))
    if isinstance(value, float):
        return fmt.fixed(fmt.significant(value, 4), 4) if measured else fmt.number(value)
    return escape(str(value))
