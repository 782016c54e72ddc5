"""`ltxbench history`: a baseline's figures over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ltxbench.cli.streams import say


def history(
    baseline: Annotated[Path, typer.Option(help="The baseline's folder.")] = Path("baseline"),
    matrix: Annotated[str | None, typer.Option(help="Only this matrix.")] = None,
    case: Annotated[list[str] | None, typer.Option("--case", help="Only this case; repeatable.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Such as step_1_s or mlx_peak_bytes; repeatable. [default: the main time]"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it: a name that ends in .svg or .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Show each case's series, and the steps in it with the run and commit at which the level changed.

    Exit codes: 0 fine, 2 usage, 5 the picture cannot be written, 10 the baseline cannot be read.
    """
    import json

    from ltxbench.errors import UsageError
    from ltxbench.regression import folder
    from ltxbench.regression.history import as_row
    from ltxbench.regression.history import history as series_of

    entries = [each.entry for each in folder.load(baseline, matrix)]
    found = series_of(entries, metrics=metric or ("generation_s", "time_s"), cases=case or ())
    if not found:
        known = sorted({name for entry in entries for name in entry.by_name})
        raise UsageError("there is nothing of that kind in the baseline", hint=f"Cases: {', '.join(known) or 'none'}.")
    if plot is not None:
        from ltxbench.regression.plot import plot as draw

        draw(found, plot)
    if as_json:
        print(json.dumps([as_row(each) for each in found], indent=1))
        return
    for each in found:
        runs = f"{len(each.points)} run{'' if len(each.points) == 1 else 's'}"
        say(f"{each.matrix}  {each.case}  {each.metric}: {runs} from {each.points[0].entry.created_utc}")
        for why in each.began:
            say(f"  a series of its own: {why}")
        for step in each.steps:
            at = each.points[step.index].entry
            commit = f", commit {at.commit[:12]}" if at.commit else ""
            say(f"  {at.created_utc}  {step.ratio - 1:+.1%}  {_level(step.before, each.metric)} to "
                  f"{_level(step.after, each.metric)} at {at.id}{commit} (p {step.p:.2g})")  # fmt: skip


def _level(value: float, metric: str) -> str:
    return f"{value / 2**30:.3f} GiB" if metric.endswith("_bytes") else f"{value:.4g} s"
