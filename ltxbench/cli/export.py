"""`ltxbench export`: stored results as a table for other programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    LATEX = "latex"
    GITHUB_ACTION = "github-action"
    BENCHER = "bencher"
    OPENMETRICS = "openmetrics"


TOOLS = (Format.GITHUB_ACTION, Format.BENCHER, Format.OPENMETRICS)
"""Of other tools; what a row is, they decide."""


class Level(StrEnum):
    CASE = "case"
    ROUND = "round"
    STEP = "step"
    PHASE = "phase"
    SAMPLE = "sample"


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a page's folder with its run.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="Of the file.")] = Format.CSV,
    level: Annotated[Level, typer.Option(help="What one row is.")] = Level.CASE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="[default: standard output]")] = None,
) -> None:
    """Write stored results as CSV, Parquet, JSON or a LaTeX table, or in the format of another tool.

    github-action is github-action-benchmark's customSmallerIsBetter, bencher the Bencher Metric Format. Both, and
    openmetrics, take a file of `pytest --benchmark-json` as well.

    Units are in the columns' names; what was not measured is absent, never 0. Exit codes: 0 fine, 2 usage, 5 the file
    cannot be written, 10 the run cannot be read.
    """
    from ltxbench.errors import ResourceError, UsageError
    from ltxbench.report.export import levels
    from ltxbench.report.export.write import Format as Encoding
    from ltxbench.report.export.write import encode
    from ltxbench.run import store

    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise ResourceError(f"{output}: not a file that can be written", hint="Give a file in a folder that exists.")
    if output is None and form is Format.PARQUET and sys.stdout.isatty():
        raise UsageError("Parquet is nothing for a terminal", hint="Give a file with -o.")
    if form in TOOLS:
        from ltxbench.exports import FORMATS
        from ltxbench.regression.source import take

        _put(FORMATS[form.value](take(run)[0]), output)
        return
    inside = run / "run"
    folder = inside if not (run / store.RUN_FILE).exists() and inside.is_dir() else run
    of = levels.Level(level.value)
    _put(encode(levels.frame(store.load(folder), of), Encoding(form.value), of), output)


def _put(data: bytes, output: Path | None) -> None:
    from ltxbench.run.files import write_atomically

    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(output, data)
