"""`ltxbench doctor`: is this machine fit to measure on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    runs: Annotated[Path, typer.Option(help="Where runs would be kept: its free disk is looked at.")] = Path("runs"),
    no_canary: Annotated[bool, typer.Option("--no-canary", help="Read the sensors only; compute nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the readings as JSON.")] = False,
) -> None:
    """Look for what would make measured times wrong: power, heat, memory, other programs, wrong kernels.

    A sensor that cannot be read is `unknown`, never fine. Exit codes: 0 fine, warnings included, 7 when a reading
    failed, so that times taken now would be wrong.
    """
    from rich.console import Console

    from ltxbench.doctor.canary_process import run_canary
    from ltxbench.doctor.examine import examine
    from ltxbench.doctor.table import examination_table, summary
    from ltxbench.errors import InvalidMeasurement, LtxbenchError
    from ltxbench.run.conditions import Status
    from ltxbench.run.probe import probe_engine

    progress = Console(stderr=True)
    accelerator = None
    with progress.status("starting MLX") as status:
        try:
            accelerator = probe_engine("mlx")
        except LtxbenchError as error:
            progress.print(f"{error.message}; taken for a CPU", markup=False, highlight=False, soft_wrap=True)

        status.update("reading the sensors, then a second of kernels against NumPy")
        examination = examine(accelerator, runs, None if no_canary else run_canary)
    if as_json:
        print(examination.model_dump_json(indent=2))
    else:
        console = Console()
        console.print(examination_table(examination))
        console.print(summary(examination), markup=False, highlight=False, soft_wrap=True)
    failed = [reading.name for reading in examination.readings if reading.status is Status.FAILURE]
    if failed:
        raise InvalidMeasurement(
            f"times taken now would be wrong: {', '.join(failed)}",
            hint="Put that right, or measure all the same with `ltxbench bench --force`, which the run then says.",
        )
