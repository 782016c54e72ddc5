"""`ltxbench check`: the gate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ltxbench.cli.streams import say

if TYPE_CHECKING:
    from ltxbench.regression.verdict import Verdict
    from ltxbench.run.listener import Listener


def check(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a file that `pytest --benchmark-json` wrote.")],
    baseline: Annotated[Path, typer.Option(help="The baseline's folder.")] = Path("baseline"),
    matrix: Annotated[
        str | None, typer.Option(help="Take `gate:` from this matrix. [default: as it was when the run was made]")
    ] = None,
    rerun: Annotated[
        int, typer.Option(min=0, max=100, help="Rounds in which suspected cases are measured again, here and now.")
    ] = 0,
    verdict: Annotated[Path, typer.Option(help="Where the answer goes, whatever it is.")] = Path("verdict.json"),
    summary: Annotated[Path | None, typer.Option(help="Markdown; $GITHUB_STEP_SUMMARY gets it, too.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Where the baseline's runs are kept, for PSNR. [default: beside this run]")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Cases of the baseline that this run was not asked for are not missed.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="What is inconclusive, missing or not comparable ends with code 7.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Of a benchmark file's suite.")] = None,
    engine: Annotated[str, typer.Option(hidden=True)] = "mlx",
) -> None:
    """Compare a run with its baseline: times by test, memory by tolerance, frames by hash or PSNR, quality by score.

    Exit codes: 0 nothing regressed, 2 usage, 3 the matrix, 7 with --strict: something is open, 8 regressed, 10 the run
    or the baseline cannot be read. GNU make turns all but 0 into 2: read verdict.json there.
    """
    from ltxbench.errors import LtxbenchError
    from ltxbench.regression.verdict import not_judged

    try:
        found = _judge(run, baseline, matrix, rerun, runs, partial, strict, name, engine)
    except LtxbenchError as error:
        _write(not_judged(str(run), error, strict=strict), verdict, summary, junit)
        raise
    _write(found, verdict, summary, junit)
    _show(found)
    if found.exit_code:
        sys.exit(found.exit_code)


def _judge(
    run: Path,
    baseline: Path,
    matrix: str | None,
    rerun: int,
    runs: Path | None,
    partial: bool,
    strict: bool,
    name: str | None,
    engine: str,
) -> Verdict:
    from ltxbench.errors import UsageError
    from ltxbench.matrix import find, load
    from ltxbench.matrix.gate import Gate
    from ltxbench.regression import folder
    from ltxbench.regression.check import check as compare
    from ltxbench.regression.pictures import pictures
    from ltxbench.regression.rerun import Repeater
    from ltxbench.regression.source import take

    gate = load(find(matrix)).gate if matrix is not None else None
    entry, measured = take(run, name=name)
    if gate is None:
        gate = measured.record.matrix.gate if measured is not None else Gate()
    again = None
    if rerun:
        if measured is None:
            raise UsageError("benchmarks of pytest cannot be run again from here", hint="Leave --rerun out.")
        again = Repeater(measured, rerun, measured.path.parent.parent, engine, _listener())
    return compare(
        [each.entry for each in folder.load(baseline, entry.matrix)],
        entry,
        gate,
        again=again,
        pictures=pictures(measured, runs) if measured is not None else None,
        partial=partial,
        strict=strict,
    )


def _listener() -> Listener:
    from ltxbench.run.listener import Listener

    class Notes(Listener):
        def note(self, text: str) -> None:
            say(text, file=sys.stderr)

    return Notes()


def _write(found: Verdict, verdict: Path, summary: Path | None, junit: Path | None) -> None:
    import json
    import os

    from ltxbench.regression.junit import junit as as_junit
    from ltxbench.regression.summary import markdown
    from ltxbench.run.files import make_folder, resource_errors, write_atomically

    for path in filter(None, (verdict, summary, junit)):
        make_folder(path.parent)
    text = json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(verdict, text.encode() + b"\n")
    if summary is not None:
        write_atomically(summary, markdown(found).encode())
    if junit is not None:
        write_atomically(junit, as_junit(found))
    if (job_page := os.environ.get("GITHUB_STEP_SUMMARY")) is not None:
        with resource_errors(Path(job_page)), Path(job_page).open("a", encoding="utf-8") as file:
            file.write(markdown(found))


def _show(found: Verdict) -> None:
    from ltxbench.regression.summary import headline
    from ltxbench.regression.verdict import Answer

    for case in found.cases:
        say(case.name)
        for each in case.metrics:
            if each.metric != "outcome" or each.answer is not Answer.SAME:
                say(f"  {each.title:<16}{each.answer.value:<16}{each.sentence}")
    for note in found.notes:
        say(note)
    say(headline(found))
