"""The examination in the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ltxbench.run.conditions import Examination, Reading, Status

STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILURE: "bold red", Status.UNKNOWN: "dim"}


def examination_table(examination: Examination) -> Table:
    """A reading a row: name, status, value, and what it means where that is not plain."""
    table = Table("reading", "status", "value", "what it means")
    for reading in examination.readings:
        style = STYLES[reading.status]
        table.add_row(
            Text(reading.name),
            Text(reading.status.value, style=style),
            Text(reading.value or "-"),
            Text(_meaning(reading)),
        )
    return table


def summary(examination: Examination) -> str:
    """One sentence: what failed, what is to be kept in mind, and what could not be read."""
    parts = [
        f"{label}: {', '.join(names)}"
        for label, names in (
            ("failed", _named(examination, Status.FAILURE)),
            ("warnings", _named(examination, Status.WARNING)),
            ("could not be read", _named(examination, Status.UNKNOWN)),
        )
        if names
    ]
    return "; ".join(parts) if parts else "nothing stands in the way of measuring"


def _named(examination: Examination, status: Status) -> list[str]:
    return [reading.name for reading in examination.readings if reading.status is status]


def _meaning(reading: Reading) -> str:
    return " ".join(part for part in (reading.detail, reading.hint) if part)
