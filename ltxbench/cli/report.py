"""`ltxbench report`: the page again, from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LATEST = "latest"


def report(
    matrix: Annotated[str, typer.Argument(help="Name of the matrix, as in reports/NAME.")],
    run: Annotated[
        str | None,
        typer.Option(
            help=f"The run to show: its folder, or `{LATEST}` for the youngest of the matrix. [default: the page's own]"
        ),
    ] = None,
    reports: Annotated[Path, typer.Option(help="Where the pages are.")] = Path("reports"),
    runs: Annotated[Path, typer.Option(help="Where the runs are.")] = Path("runs"),
) -> None:
    """Write the page of a matrix again from stored results. Runs nothing; the same results give the same bytes."""
    from ltxbench.errors import ResultError
    from ltxbench.report import write
    from ltxbench.run import store

    name = Path(matrix).stem if matrix.endswith((".yaml", ".yml")) else matrix
    destination = reports / name
    source = destination / "run" if run is None else Path(run)
    if run == LATEST:
        found = store.latest(runs, name)
        if found is None:
            raise ResultError(f"there is no run of {name} in {runs}/", hint=f"`ltxbench bench {name}` makes one.")
        source = found
    typer.echo(write(store.load(source), destination))
