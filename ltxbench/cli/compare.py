"""`ltxbench compare`: two runs, or two cases of one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ltxbench.cli.streams import say

if TYPE_CHECKING:
    from ltxbench.run.store import RunFolder
    from ltxbench.trust.comparison import CaseComparison


def compare(
    old: Annotated[str, typer.Argument(help="A run's folder, or FOLDER:CASE.")],
    new: Annotated[str, typer.Argument(help="What is compared with it: a run's folder, or FOLDER:CASE.")],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A field that may differ between the runs, such as os or weights; may be repeated."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.001, max=1, help="The smallest change that matters: 0.03 is 3%.")
    ] = 0.03,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of the two runs into this folder too: ratios, frames, players.")
    ] = None,
) -> None:
    """Say of each case whether it became faster or slower, how sure that is, and what keeps it from being told.

    RUN RUN compares every case of two runs, RUN:CASE RUN:CASE two cases of one run round by round, or one case of two
    runs. Exit code 0 whatever the answer; 2 for a wrong case or field, 10 for a folder that holds no run.
    """
    import json
    from dataclasses import asdict

    comparisons = _compare(old, new, allow or (), threshold)
    if html is not None:
        _write_page(old, new, comparisons, html, threshold)
    if as_json:
        document = {"old": old, "new": new, "threshold": threshold, "cases": [asdict(each) for each in comparisons]}
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        _show(comparisons)


def _compare(old: str, new: str, allow: Sequence[str], threshold: float) -> tuple[CaseComparison, ...]:
    from ltxbench.errors import UsageError
    from ltxbench.trust.comparability import check_allowed
    from ltxbench.trust.comparison import compare_cases, compare_runs

    check_allowed(allow)
    (old_run, old_case), (new_run, new_case) = _open(old), _open(new)
    if (old_case is None) != (new_case is None):
        raise UsageError("a case can't be compared with a whole run", hint="Give RUN RUN, or RUN:CASE RUN:CASE.")
    if old_case is None or new_case is None:
        return compare_runs(old_run, new_run, threshold=threshold, allow=allow)
    if old_run.path.resolve() == new_run.path.resolve():
        return (compare_cases(old_run, old_case, new_case, threshold=threshold),)
    if old_case != new_case:
        raise UsageError(
            f"{old_case} and {new_case} are different cases of different runs",
            hint="Compare one case between two runs, or two cases within one run.",
        )
    return compare_runs(old_run, new_run, threshold=threshold, allow=allow, only=old_case)


def _write_page(old: str, new: str, comparisons: Sequence[CaseComparison], html: Path, threshold: float) -> None:
    """Raises UsageError for two cases of one run, which the run's own page compares."""
    from ltxbench.errors import UsageError
    from ltxbench.report.html import write_comparison

    (old_run, _), (new_run, _) = _open(old), _open(new)
    if old_run.path.resolve() == new_run.path.resolve():
        raise UsageError("--html sets two runs beside each other", hint="`ltxbench report` writes the page of one.")
    typer.echo(write_comparison(old_run, new_run, comparisons, html, threshold=threshold), err=True)


def _open(place: str) -> tuple[RunFolder, str | None]:
    """The run, or the run below a page's folder; and the case after the last colon. Raises ResultError, UsageError."""
    from ltxbench.errors import UsageError
    from ltxbench.run import store

    path, name = Path(place), None
    if not path.is_dir() and ":" in place:
        folder, _, name = place.rpartition(":")
        path = Path(folder)
    if not (path / store.RUN_FILE).exists() and (path / "run" / store.RUN_FILE).exists():
        path = path / "run"
    run = store.load(path)
    known = [case.name for case in run.record.matrix.cases]
    if name is not None and name not in known:
        raise UsageError(f"{path}: no case {name!r}", hint=f"Cases: {', '.join(known)}.")
    return run, name


def _show(comparisons: Sequence[CaseComparison]) -> None:
    from ltxbench.trust.comparison import limits

    for each in comparisons:
        alike = each.old.rpartition(":")[2] == each.new.rpartition(":")[2]
        say(each.new.rpartition(":")[2] if alike else f"{each.old} -> {each.new}")
        for metric in each.metrics:
            if metric.old_s is not None or metric.new_s is not None or metric is each.metrics[0]:
                figures = f"{_seconds(metric.old_s):>10} {_seconds(metric.new_s):>10}"
                say(f"  {metric.title:<14}{figures}  {metric.result.value:<14}  {metric.sentence}")
        for figure in each.figures:
            if figure.ratio is not None:
                figures = f"{_amount(figure.name, figure.old):>10} {_amount(figure.name, figure.new):>10}"
                say(f"  {figure.title:<14}{figures}  {'':<14}  {figure.ratio - 1:+.1%}")
    if sentences := limits(comparisons):
        print("\nWhat limits these answers:")
        for sentence in sentences:
            say(f"  - {sentence}")
    if fields := list(dict.fromkeys(field for each in comparisons for field in _separating(each))):
        options = " ".join(f"--allow {field.replace(' ', '-')}" for field in fields)
        say(f"\nTo compare all the same, if that is the question: {options}")


def _separating(comparison: CaseComparison) -> list[str]:
    """As `--allow` names them: `case (steps)` is `case`."""
    from ltxbench.trust.comparability import Effect

    return [each.field.split(" (")[0] for each in comparison.differences if each.effect is Effect.SEPARATES]


def _seconds(value_s: float | None) -> str:
    return "–" if value_s is None else f"{value_s:.4g} s"


def _amount(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 2**30:.2f} GiB" if name.endswith("_bytes") else f"{value:.4g} J"
