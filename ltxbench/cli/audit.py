"""`ltxbench audit`: whether a run's videos and times are what they seem."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ltxbench.cli.streams import say


def audit(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    case: Annotated[
        list[str] | None, typer.Option("--case", help="Audit this case; repeatable. [default: the cheapest one]")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Audit every case; each is run five times.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait when another benchmark holds this machine.")] = False,
    case_limit: Annotated[float, typer.Option(min=1, help="Seconds after which an execution is killed.")] = 12 * 3600.0,
    engine: Annotated[str, typer.Option(hidden=True)] = "mlx",
) -> None:
    """Run cases again: same seed twice, another seed, twice in one process, and without instruments.

    The same seed must make the same bits, another seed others; a repeated case must not be faster than a fresh one
    beyond noise; frames must not depend on the step timer. What cannot be tested is said so. The answers are kept in
    the run's audit.json.

    Exit codes: 0 nothing failed, 2 usage, 5 disk, 7 an audit failed, 9 another benchmark is running, 10 the run.
    """
    from ltxbench.audit.records import AUDIT_FILE
    from ltxbench.audit.run import audit as examine
    from ltxbench.errors import InvalidMeasurement, UsageError
    from ltxbench.run import store
    from ltxbench.run.lock import machine_lock

    if case and everything:
        raise UsageError("--case and --all are given together", hint="Give one of them.")

    def tell(line: str) -> None:
        say(line, file=sys.stderr)

    folder = store.load(run)
    with machine_lock(f"audit of {folder.record.id}", wait=wait, on_wait=lambda holder: tell(f"waiting for {holder}")):
        found = examine(folder, names=case or (), everything=everything, engine=engine, limit_s=case_limit, tell=tell)
    for audited in found.cases:
        say(audited.case)
        for finding in audited.findings:
            say(f"  {finding.check.value}: {finding.answer.value}. {finding.sentence}")
    print(f"Audit: {folder.path / AUDIT_FILE}")
    if found.failed:
        names = ", ".join(audited.case for audited in found.failed)
        raise InvalidMeasurement(
            f"{len(found.failed)} of {len(found.cases)} audited cases failed: {names}",
            hint="The sentences above say what was compared.",
        )
