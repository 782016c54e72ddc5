"""`ltxbench bench`: a matrix from its file to the finished page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ltxbench.run.store import RunFolder
    from ltxbench.weights.random.disk import Watch


class WarmUp(StrEnum):
    AUTO = "auto"
    ON = "on"
    OFF = "off"

    @property
    def decided(self) -> bool | None:
        return None if self is WarmUp.AUTO else self is WarmUp.ON


RANDOM = (
    "These weights are random, drawn from a seed on the device: times and memory are those of the architecture at this "
    "size, the pictures mean nothing."
)
SYNTHETIC = (
    "These weights are synthetic, made from a seed: what the work costs is measured, the pictures mean nothing, and "
    "neither times nor memory are those of the real model."
)
MAX_REASONS = 5


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
    no_quality: Annotated[
        bool, typer.Option("--no-quality", help="Do not measure the pictures when the last case has ended.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait when another benchmark holds this machine.")] = False,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Rounds: each case runs once in every round; from 4 on they can be compared. [default: 1]",
        ),
    ] = None,
    order_seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Shuffles the cases within each round. [default: 0; one round: none]"),
    ] = None,
    warm_up: Annotated[
        WarmUp, typer.Option(help="Do the first of each kind of work once unmeasured; auto: where there is a GPU.")
    ] = WarmUp.AUTO,
    check: Annotated[
        bool, typer.Option("--check", help="Add a round without step timer and sampler, to see what these cost.")
    ] = False,
    cooldown: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS|settled", help="Wait between cases; settled: until the machine is as fast as at first."
        ),
    ] = None,
    case_limit: Annotated[float, typer.Option(min=1, help="Seconds after which a case is killed.")] = 12 * 3600.0,
    phase_limit: Annotated[
        list[str] | None,
        typer.Option(
            "--phase-limit",
            metavar="SECONDS|PHASE=SECONDS",
            help="Seconds after which a case is killed in one phase; repeatable, as load=600.",
        ),
    ] = None,
    no_lossless: Annotated[
        bool, typer.Option("--no-lossless", help="Keep only the mp4 of a case's frames, not its lossless copy.")
    ] = False,
    no_memory_check: Annotated[
        bool, typer.Option("--no-memory-check", help="Run cases even if they seem to need more memory than there is.")
    ] = False,
    skip_too_large: Annotated[
        bool, typer.Option("--skip-too-large", help="Skip cases that need more memory than there is.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the matrix's latest run: only what is missing is run.")
    ] = False,
    resume_run: Annotated[
        str | None, typer.Option("--resume-run", metavar="RUN", help="The same, with a run's id or folder.")
    ] = None,
    rerun_changed: Annotated[
        bool, typer.Option("--rerun-changed", help="With --resume: run cases again that the matrix has changed.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Measure although the doctor objects, and run cases that broke the machine."),
    ] = False,
    engine: Annotated[str, typer.Option(hidden=True)] = "mlx",
) -> None:
    """Run the cases of a matrix, each in its own process, and write the page that compares them.

    Exit codes: 0 fine, 2 usage, 3 the matrix, 4 the weights, 5 disk or memory, 6 a case failed, 7 the machine is in no
    state to be measured or the figures cannot be trusted (INVALID; small synthetic weights claim no figures and end
    with 0), 9 another benchmark is running, 10 the run to resume is torn or another one, 130 interrupted. GNU make
    turns all but 0 into 2; run ltxbench itself where the code matters.
    """
    from rich.console import Console

    from ltxbench.matrix import find, load, select
    from ltxbench.run import runner
    from ltxbench.run.continuation import selected_cases
    from ltxbench.run.lock import machine_lock
    from ltxbench.run.options import CooldownRule, Options, phase_limits
    from ltxbench.run.progress import Progress
    from ltxbench.run.resume import LATEST, find_run, read_run
    from ltxbench.run.table import print_results
    from ltxbench.weights.resolve import digest, resolve

    console = Console(stderr=True)
    options = Options(
        repeats=repeats,
        order_seed=order_seed,
        warm_up=warm_up.decided,
        check=check,
        cooldown=None if cooldown is None else CooldownRule.parse(cooldown),
        case_limit_s=case_limit,
        phase_limits=phase_limits(phase_limit or []),
        lossless=not no_lossless,
        memory_check=not no_memory_check,
        skip_too_large=skip_too_large,
        force=force,
        rerun_changed=rerun_changed,
    )
    resolved = load(find(matrix))
    cases = select(resolved, case or [])
    for warning in resolved.warnings:
        _say(console, f"warning: {warning}")
    with machine_lock(
        f"matrix {resolved.name}", wait=wait, on_wait=lambda holder: _say(console, f"waiting for {holder}")
    ):
        which = resume_run or (LATEST if resume else None)
        if which is not None:
            path = find_run(runs, resolved.name, which)
            which = str(path)
            if not case:
                cases = tuple(selected_cases(resolved, read_run(path)[0]))
        if from_disk and options.memory_check and not options.skip_too_large:
            # Before tens of gigabytes are written for a run that cannot be.
            runner.refuse_too_large(engine, cases, resolve(weights, cases))
        with _writing(console, shown=from_disk) as watch:
            files = resolve(weights, cases, from_disk=from_disk, watch=watch)
        if files.synthetic:
            _say(console, RANDOM if files.kind.startswith("random") else SYNTHETIC)
        else:
            _say(console, "checking the weights; the first time reads all of them")
        work = runner.Work(
            matrix=resolved,
            cases=cases,
            weights=files,
            root=runs,
            engine=engine,
            weights_digest=digest(files, cases),
        )
        with Progress(console) as progress:
            if which is None:
                run = runner.run_matrix(work, options, progress)
            else:
                run = runner.resume_run(work, which, options, progress)
        if not no_quality and not _cut(run):
            _measure_pictures(run, console)
    print_results(run)
    if not no_report:
        from ltxbench.report import write

        print(f"Page: {write(run, reports / resolved.name)}")
    print(f"Run:  {run.path}")
    _conclude(run, matrix, console)


@contextmanager
def _writing(console: Console, *, shown: bool) -> Iterator[Watch]:
    """A bar while random weights are written, from the first look at them on."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
    begun = False

    def watch(written_bytes: int, total_bytes: int) -> None:
        nonlocal begun
        if not begun:
            begun = True
            _say(console, f"writing random weights as files, {total_bytes / 1e9:.1f} GB, kept for the next time")
            bar.add_task("writing", total=total_bytes)
        bar.update(bar.task_ids[0], completed=written_bytes)

    with bar:
        yield watch


def _cut(run: RunFolder) -> bool:
    """Interrupted before its last round ended."""
    from ltxbench.run.order import planned
    from ltxbench.run.records import Outcome

    interrupted = any(record.outcome is Outcome.INTERRUPTED for record in run.records)
    return interrupted or len(run.records) < len(planned(run.record.schedule))


def _measure_pictures(run: RunFolder, console: Console) -> None:
    """After all timing. Frames that cannot be read cost the pictures' figures, not the page."""
    from ltxbench.errors import ResultError, UsageError
    from ltxbench.quality import measure_run

    try:
        measure_run(run, begins=lambda name: _say(console, f"measuring the pictures of {name}"))
    except (ResultError, UsageError) as error:
        _say(console, f"warning: the pictures were not all measured: {error.message}")


def _conclude(run: RunFolder, matrix: str, console: Console) -> None:
    """Raises CasesFailed when a round did not end well; exits with 130 where the run was interrupted."""
    from ltxbench.errors import INTERRUPTED, CasesFailed
    from ltxbench.run.order import planned
    from ltxbench.run.records import CHECK_ROUND, Outcome

    plan = planned(run.record.schedule)
    if _cut(run):
        _say(console, f"interrupted; `ltxbench bench {matrix} --resume` goes on")
        sys.exit(INTERRUPTED)
    failed = [record for record in run.records if record.outcome is not Outcome.OK]
    if not failed:
        _refuse_untrusted(run, console)
        return
    what = "cases" if len(plan) == len(run.cases) else "rounds"
    names = [
        record.case.name
        if what == "cases"
        else f"{record.case.name} ({'check' if record.round == CHECK_ROUND else f'round {record.round}'})"
        for record in failed
    ]
    raise CasesFailed(
        f"{len(failed)} of {len(plan)} {what} did not finish: {', '.join(names)}",
        hint=f"What they printed is in {run.path}/cases/<name>/round-<n>/output.txt.",
    )


def _refuse_untrusted(run: RunFolder, console: Console) -> None:
    """Raises InvalidMeasurement when the run is INVALID. Small weights make no claim: it is only said then."""
    from ltxbench.errors import InvalidMeasurement
    from ltxbench.trust.reasons import Grade
    from ltxbench.trust.verdict import run_verdict

    verdict = run_verdict(run)
    if verdict.valid:
        return
    told = [reason.sentence for reason in verdict.reasons if reason.grade is Grade.FAILURE]
    told += [f"{case.name}: {reason.sentence}" for case in verdict.cases for reason in case.failures]
    message = f"the figures cannot be trusted: {'; '.join(told[:MAX_REASONS])}"
    if len(told) > MAX_REASONS:
        message += f"; and {len(told) - MAX_REASONS} more"
    weights = run.record.weights
    if weights.synthetic and not weights.full_size_random:
        _say(console, f"INVALID, as figures of weights this small often are: {message}")
    else:
        raise InvalidMeasurement(message, hint="The page has them all, and what to do.")


def _say(console: Console, text: str) -> None:
    from ltxbench.report.escape import visible

    console.print(visible(text), markup=False, highlight=False, soft_wrap=True)
