"""How a page came about: the commands that make it again, and what the run was made with."""

from __future__ import annotations

import shlex

from ltxbench.matrix import argument
from ltxbench.report import format as fmt
from ltxbench.report.page import Definition
from ltxbench.run.order import DEFAULT_SEED
from ltxbench.run.records import RunRecord, Schedule
from ltxbench.weights.files import FROM_DISK


def commands(run: RunRecord, folder: str) -> str:
    """How the page came about. One in a folder of another name than its matrix's is made from the run's own."""
    name = shlex.quote(folder)
    report = ("# this page alone, from the stored results", f"make report MATRIX={name}")
    if run.imported is not None:
        return "\n".join(report)
    bench = f"make bench MATRIX={shlex.quote(argument(run.matrix))}"
    weights, *options = weights_arguments(run)
    options += _schedule(run.schedule)
    if weights != "tiny":
        bench += f" WEIGHTS={shlex.quote(weights)}"
    lines = ["# everything: run the cases, then write this page"]
    if folder != run.matrix.name:
        options.append("--no-report")
        show = f"ltxbench report {shlex.quote(run.matrix.name)} --run latest --as {name}"
        lines += [f"{bench} ARGS={shlex.quote(shlex.join(options))}", show]
    else:
        lines.append(bench + (f" ARGS={shlex.quote(shlex.join(options))}" if options else ""))
    return "\n".join((*lines, "", *report))


def weights_arguments(run: RunRecord) -> tuple[str, ...]:
    """What `--weights` was, and the options that went with it."""
    kind = run.weights.kind
    return (kind.removesuffix(FROM_DISK), "--from-disk") if kind.endswith(FROM_DISK) else (kind,)


def _schedule(schedule: Schedule) -> list[str]:
    """The options that a schedule was asked for with."""
    options = []
    if schedule.repeats > 1:
        options += ["--repeats", str(schedule.repeats)]
    if schedule.order_seed not in (None, DEFAULT_SEED if schedule.repeats > 1 else None):
        options += ["--order-seed", str(schedule.order_seed)]
    if schedule.check:
        options.append("--check")
    if schedule.cooldown is not None:
        options += ["--cooldown", schedule.cooldown]
    return options


def provenance(run: RunRecord) -> tuple[Definition, ...]:
    machine = run.machine
    commit = machine.git_commit or fmt.MISSING
    if machine.git_dirty:
        commit += " with local changes"
    weights = run.weights.kind + (f", digest {run.weights.digest}" if run.weights.digest else "")
    rows = [
        Definition("Run", run.id),
        Definition("Started (UTC)", run.created_utc),
        Definition("ltxbench", f"{run.ltxbench_version}, commit {commit}"),
        Definition("Matrix", f"{run.matrix.source}, sha256 {run.matrix.source_sha256}"),
        Definition("Weights", weights),
        Definition("Command", shlex.join(run.command)),
        Definition("Packages", ", ".join(f"{name} {version}" for name, version in sorted(machine.packages.items()))),
    ]
    if run.conditioning_sha256:
        rows.append(Definition("Encoded text, sha256", run.conditioning_sha256))
    if machine.environment:
        rows.append(Definition("Environment", " ".join(f"{k}={v}" for k, v in sorted(machine.environment.items()))))
    return tuple(rows)
