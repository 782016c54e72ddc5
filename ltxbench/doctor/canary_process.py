"""The canary in a process of its own, for a command that has no worker.

python -m ltxbench.doctor.canary_process LIFELINE       prints a CanaryReport as JSON (see run.lifeline)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from pydantic import ValidationError

from ltxbench.doctor.canary import CanaryReport
from ltxbench.errors import InvalidMeasurement, LtxbenchError
from ltxbench.measure.blas import find_blas, preload_environment
from ltxbench.run.lifeline import end_with_the_parent
from ltxbench.run.pipes import Pipes

LIMIT_S = 300.0  # the first use of a GPU compiles its kernels
MODULE = "ltxbench.doctor.canary_process"


class CanaryDied(InvalidMeasurement):
    """The kernels ended the process, or never came back."""


def run_canary(*, limit_s: float = LIMIT_S, module: str = MODULE) -> CanaryReport:
    """Runs the canary as the cases run, with the same BLAS.

    Raises CanaryDied when a signal ended the process or it took longer than `limit_s`, LtxbenchError when it could
    not be run at all, as without MLX.
    """
    try:
        with Pipes() as pipes:
            lifeline, _held = pipes.open()
            done = subprocess.run(
                [sys.executable, "-m", module, str(lifeline)],
                stdin=subprocess.DEVNULL,
                pass_fds=(lifeline,),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
                env={**os.environ, **preload_environment(find_blas())},
            )
    except subprocess.TimeoutExpired as error:
        raise CanaryDied(f"the canary's kernels did not come back within {limit_s:g} s") from error
    except OSError as error:
        raise LtxbenchError(f"no process could be started for the canary ({error})") from error
    if done.returncode < 0:
        name = signal.strsignal(-done.returncode) or "unknown"
        raise CanaryDied(f"the canary's kernels ended their process with signal {-done.returncode} ({name})")
    last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
    if done.returncode != 0:
        raise LtxbenchError(f"the canary could not run: {last}")
    try:
        return CanaryReport.model_validate_json(done.stdout.strip().splitlines()[-1])
    except (ValidationError, IndexError) as error:
        raise LtxbenchError(f"the canary gave no result: {last}") from error


def main() -> int:
    end_with_the_parent(int(sys.argv[1]))
    from ltxbench.doctor.canary_mlx import mlx_canary
    from ltxbench.run.mlx_engine import MlxEngine

    print(mlx_canary(MlxEngine().dtype).model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
