"""`ltxbench import`: figures from elsewhere as a run of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ltxbench.cli.streams import say

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Read figures that were measured elsewhere."""


@app.command()
def published(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A Markdown page with profiles; or printed output of `ltx-video generate --profile`, a case for each "
            "run; or a folder of such.",
        ),
    ],
    runs: Annotated[Path, typer.Option(help="Where the runs are kept.")] = Path("runs"),
    name: Annotated[
        str | None, typer.Option(help="The matrix's name. [default: the page's title with -published]")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Write the page as well.")] = False,
    reports: Annotated[Path, typer.Option(help="Where the pages go, one folder a matrix.")] = Path("reports"),
) -> None:
    """Store published figures as a run, so that `report` and `compare` work on them.

    Every figure is kept as published beside the parsed one; what the source leaves open stays absent, and claims in
    percent are held against the source's own data.

    Exit codes: 0 fine, 2 usage, 5 the run cannot be written, 10 the files hold nothing that can be read.
    """
    from ltxbench.importing import import_published

    run = import_published(files, runs, name=name, command=["ltxbench", *sys.argv[1:]])
    imported = run.record.imported
    assert imported is not None
    for record in run.cases:
        steps = f"{len(record.steps)} of {sum(stage.steps for stage in record.case.stages)} steps stated"
        say(f"#{record.number} {record.case.name}: {record.outcome.value}, {steps}")
    for claim in imported.claims:
        if claim.qualified:
            say(f"claim: {claim.text}")
            say(f"  {claim.qualification}")
    print(f"{len(imported.notes)} notes and {len(imported.claims)} claims are in {run.path / 'run.json'}")
    if report:
        from ltxbench.report import write

        print(f"Page: {write(run, reports / run.record.matrix.name)}")
    print(f"Run:  {run.path}")
