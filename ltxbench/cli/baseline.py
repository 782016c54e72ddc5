"""`ltxbench baseline`: the runs that later ones are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ltxbench.cli.streams import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
FOLDER = typer.Option("--baseline", help="The baseline's folder; it may be committed.")


@app.command()
def add(
    run: Annotated[list[Path], typer.Argument(help="Folders of runs, or files that `pytest --benchmark-json` wrote.")],
    baseline: Annotated[Path, FOLDER] = Path("baseline"),
    accept: Annotated[
        bool, typer.Option("--accept", help="A change that is meant: what was measured before counts no longer.")
    ] = False,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="With --accept: only this one's, or that it is gone; repeatable. [default: all]"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of a benchmark file's suite, where a baseline holds several.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Add a run although it is INVALID or a case failed; the entry says so.")
    ] = False,
) -> None:
    """Add verified runs: samples, hashes and conditions, a small file for each run.

    Exit codes: 0 fine, 2 usage, 5 the folder cannot be written, 7 a run is INVALID or did not finish, 10 a run cannot
    be read.
    """
    from ltxbench.errors import InvalidMeasurement, UsageError
    from ltxbench.regression import folder
    from ltxbench.regression.source import take

    folder.writable(baseline)
    if case and not accept:
        raise UsageError("--case says what is accepted", hint="Give --accept with it.")
    for path in run:
        entry, _ = take(path, name=name)
        objection = folder.check_addable(entry)
        if objection is not None and not force:
            raise InvalidMeasurement(f"{path} was not added: {objection}", hint="Measure again, or override: --force.")
        known = {*entry.by_name, *folder.cases(baseline, entry)} if case else set()
        if unknown := [each for each in case or () if each not in known]:
            raise UsageError(
                f"neither {path} nor the baseline has a case {unknown[0]!r}", hint=f"Cases: {', '.join(sorted(known))}."
            )
        accepts = tuple(case or entry.by_name) if accept else ()
        print(folder.add(baseline, entry.model_copy(update={"accepts": accepts, "forced": objection})))


@app.command(name="list")
def show(
    baseline: Annotated[Path, FOLDER] = Path("baseline"),
    matrix: Annotated[str | None, typer.Option(help="Only this matrix.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """List the runs of a baseline, the oldest first. Exit codes: 0 fine, 10 the folder cannot be read."""
    import json

    from ltxbench.regression import folder

    found = folder.load(baseline, matrix)
    if as_json:
        rows = [
            {
                "path": str(each.path),
                **each.entry.model_dump(mode="json", exclude={"cases"}),
                "cases": len(each.entry.cases),
            }
            for each in found
        ]
        print(json.dumps(rows, indent=1))
        return
    for each in found:
        entry = each.entry
        marks = [f"accepts {', '.join(entry.accepts)}"] if entry.accepts else []
        marks += [f"forced: {entry.forced}"] if entry.forced else []
        commit = (entry.commit or "")[:12]
        line = f"{entry.matrix}  {entry.id}  {entry.machine.os}  {len(entry.cases)} cases  {commit}"
        say("  ".join([line.rstrip(), *marks]))


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="Runs of each matrix, machine and system that stay.")],
    baseline: Annotated[Path, FOLDER] = Path("baseline"),
) -> None:
    """Remove old runs. The gate looks at the latest 34 of a segment. Exit codes: 0 fine, 5, 10."""
    from ltxbench.regression import folder

    for path in folder.prune(baseline, keep):
        print(f"removed {path}")
