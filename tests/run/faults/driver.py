"""A program that runs or resumes a small scripted matrix, as the command line does, and prints what goes on.

    python -m tests.run.faults.driver FOLDER run|resume [force]

FOLDER holds matrix.json and script.json; the runs go to FOLDER/disk/runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ltxbench.errors import INTERRUPTED, LtxbenchError
from ltxbench.matrix.case import Matrix
from ltxbench.run import space
from ltxbench.run.listener import Listener
from ltxbench.run.options import Options
from ltxbench.run.runner import Work, resume_run, run_matrix
from tests.run.conftest import NO_WEIGHTS


class Loud(Listener):
    def case_started(self, case, round_number):
        print(f"{case.name} {round_number}", flush=True)

    def event(self, event):
        print(event.event, flush=True)

    def note(self, text):
        print(f"note: {text}", flush=True)


def main() -> int:
    folder, what = Path(sys.argv[1]), sys.argv[2]
    space.SPARE_BYTES = space.ROUND_BYTES = space.VIDEO_BYTES_PER_PIXEL = 0
    space.lossless_video.BYTES_PER_PIXEL = 0
    matrix = Matrix.model_validate_json((folder / "matrix.json").read_text())
    work = Work(matrix, matrix.cases, NO_WEIGHTS, folder / "disk" / "runs", f"scripted:{folder}/script.json")
    options = Options(force="force" in sys.argv)
    try:
        if what == "resume":
            resume_run(work, "latest", options, Loud())
        else:
            run_matrix(work, options, Loud())
    except LtxbenchError as error:
        print(f"{type(error).__name__}: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
