"""`ltxbench bench`: a matrix from its file to the finished page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ltxbench.run.records import CaseRecord
    from ltxbench.run.store import RunFolder

RANDOM = (
    "These weights are random, drawn from a seed on the device: times and memory are those of the architecture at this "
    "size, the pictures mean nothing."
)
SYNTHETIC = (
    "These weights are synthetic, made from a seed: what the work costs is measured, the pictures mean nothing, and "
    "neither times nor memory are those of the real model."
)


def bench(
    matrix: Annotated[str, typer.Argument(help="Name of a matrix in matrices/, or a YAML file.")],
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="Run only this case; repeatable, * stands for anything. [default: all]"),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="tiny (small, made here from a seed), random (full size, drawn on the device), official, or a folder "
            "with the files."
        ),
    ] = "tiny",
    from_disk: Annotated[
        bool, typer.Option("--from-disk", help="Write random weights as files first, so that loading is measured.")
    ] = False,
    runs: Annotated[Path, typer.Option(help="Where the runs are kept.")] = Path("runs"),
    reports: Annotated[Path, typer.Option(help="Where the pages go, one folder a matrix.")] = Path("reports"),
    no_report: Annotated[bool, typer.Option("--no-report", help="Only run and store.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait when another benchmark holds this machine.")] = False,
    case_limit: Annotated[float, typer.Option(min=1, help="Seconds after which a case is killed.")] = 12 * 3600.0,
    no_memory_check: Annotated[
        bool, typer.Option("--no-memory-check", help="Run cases even if they seem to need more memory than there is.")
    ] = False,
    engine: Annotated[str, typer.Option(hidden=True)] = "mlx",
) -> None:
    """Run the cases of a matrix, each in its own process, and write the page that compares them.

    Exit codes: 0 fine, 2 usage, 3 the matrix, 4 the weights, 5 disk or memory, 6 a case failed, 9 another benchmark is
    running, 130 interrupted. GNU make turns all but 0 into 2; run ltxbench itself where the code matters.
    """
    from rich.console import Console

    from ltxbench.errors import INTERRUPTED, CasesFailed
    from ltxbench.matrix import find, load, select
    from ltxbench.run.lock import machine_lock
    from ltxbench.run.progress import Progress
    from ltxbench.run.records import Outcome
    from ltxbench.run.runner import run_matrix
    from ltxbench.weights.resolve import digest, resolve

    console = Console(stderr=True)
    resolved = load(find(matrix))
    cases = select(resolved, case or [])
    for warning in resolved.warnings:
        _say(console, f"warning: {warning}")
    with machine_lock(
        f"matrix {resolved.name}", wait=wait, on_wait=lambda holder: _say(console, f"waiting for {holder}")
    ):
        if from_disk:
            _say(console, "writing random weights as files where they are not there yet")
        files = resolve(weights, cases, from_disk=from_disk)
        if files.synthetic:
            _say(console, RANDOM if files.kind.startswith("random") else SYNTHETIC)
        else:
            _say(console, "checking the weights; the first time reads all of them")
        weights_digest = digest(files, cases)
        with Progress(console) as progress:
            run = run_matrix(
                resolved,
                cases,
                files,
                root=runs,
                engine=engine,
                listener=progress,
                weights_digest=weights_digest,
                case_limit_s=case_limit,
                memory_check=not no_memory_check,
            )
    _show_results(run)
    if not no_report:
        from ltxbench.report import write

        print(f"Page: {write(run, reports / resolved.name)}")
    print(f"Run:  {run.path}")
    if len(run.cases) < len(cases) or any(record.outcome is Outcome.INTERRUPTED for record in run.cases):
        _say(console, "interrupted")
        sys.exit(INTERRUPTED)
    failed = [record.case.name for record in run.cases if record.outcome is not Outcome.OK]
    if failed:
        raise CasesFailed(
            f"{len(failed)} of {len(run.cases)} cases did not finish: {', '.join(failed)}",
            hint=f"What they printed is in {run.path}/cases/<name>/output.txt.",
        )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_results(run: RunFolder) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    weights = run.record.weights
    caption = "synthetic weights: not the real model's figures" if weights.synthetic else None
    table = Table(title=Text(run.record.matrix.title), caption=caption, title_justify="left")
    table.add_column("case", overflow="fold")
    table.add_column("outcome")
    for name in ("generation", "peak memory", "mean memory"):
        table.add_column(name, justify="right")
    for record in run.cases:
        table.add_row(*(Text(cell) for cell in _cells(record)))
    Console().print(table)


def _cells(record: CaseRecord) -> tuple[str, ...]:
    from ltxbench.run.progress import duration, size

    times, memory = record.times, record.memory
    return (
        record.case.name,
        record.outcome.value,
        "-" if times.generation_s is None else duration(times.generation_s),
        "-" if memory.mlx_peak_bytes is None else size(memory.mlx_peak_bytes),
        "-" if memory.mlx_mean_denoising_bytes is None else size(memory.mlx_mean_denoising_bytes),
    )
