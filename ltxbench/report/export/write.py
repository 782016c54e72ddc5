"""A frame in one of the formats."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from ltxbench.report.export import latex
from ltxbench.report.export.levels import Level

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    LATEX = "latex"


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _no_formula(cell: object) -> object:
    """Words of strangers that a spreadsheet would take for a formula get an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def encode(frame: pd.DataFrame, form: Format, level: Level) -> bytes:
    """What is absent: an empty field in CSV and LaTeX, null in JSON and Parquet.

    Text is as it is but in CSV, which spreadsheets open: a cell that would be a formula begins with an apostrophe.
    """
    if form is Format.PARQUET:
        return frame.to_parquet(index=False, engine="pyarrow")
    if form is Format.CSV:
        words = frame.select_dtypes(["object", "string"])
        return frame.assign(**words.map(_no_formula)).to_csv(index=False, lineterminator="\n").encode()
    if form is Format.LATEX:
        return (latex.cases_table(frame) if level is Level.CASE else latex.whole_table(frame)).encode()
    # pandas would write 10 digits and escape what is not ASCII.
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return (json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
