"""Two scripted cases, everything else real: what is broken is broken for real."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltxbench.matrix.case import Case, Matrix
from ltxbench.run import store
from ltxbench.run.listener import Listener
from ltxbench.run.options import Options
from ltxbench.run.records import Outcome, Phase
from ltxbench.run.runner import Work, resume_run, run_matrix
from ltxbench.run.script import CaseScript, Script
from ltxbench.run.store import RunFolder
from tests.run.conftest import NO_WEIGHTS, end

SLOW = CaseScript(pace=1.0, phases=dict.fromkeys(Phase, 0.0), steps=(600.0,))
"""A case that is denoising until something ends it."""


class Notes(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.started: list[tuple[str, int]] = []

    def note(self, text):
        self.notes.append(text)

    def case_started(self, case, round_number):
        self.started.append((case.name, round_number))


class Bench:
    """Runs and resumes one matrix in this process, or in one that can be killed."""

    def __init__(self, folder: Path, matrix: Matrix) -> None:
        self.folder = folder
        self.matrix = matrix
        self.listener = Notes()
        self.started: list[subprocess.Popen] = []
        (folder / "disk").mkdir(exist_ok=True)

    @property
    def root(self) -> Path:
        return self.folder / "disk" / "runs"

    def write(self, script: Script) -> str:
        path = self.folder / "script.json"
        path.write_text(script.model_dump_json())
        (self.folder / "matrix.json").write_text(self.matrix.model_dump_json())
        return f"scripted:{path}"

    def work(self, script: Script | None) -> Work:
        return Work(self.matrix, self.matrix.cases, NO_WEIGHTS, self.root, self.write(script or Script()))

    def run(self, script: Script | None = None, **options) -> RunFolder:
        return run_matrix(self.work(script), Options(**options), self.listener)

    def resume(self, script: Script | None = None, *, which: str = "latest", **options) -> RunFolder:
        self.listener = Notes()
        return resume_run(self.work(script), which, Options(**options), self.listener)

    def start(self, script: Script, what: str = "run", *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
        self.write(script)
        # A preloaded BLAS starts threads, and a process with threads may not enter a new namespace.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.run.faults.driver", str(self.folder), what, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env=environment,
        )
        self.started.append(process)
        return process

    @property
    def path(self) -> Path:
        path = store.latest(self.root, self.matrix.name)
        assert path is not None
        return path

    def stored(self) -> RunFolder:
        return store.load(self.path)


def finished(path: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of the rounds that went well: its bytes, and when it was written."""
    run = store.load(path)
    return {
        str(file.relative_to(path)): (file.read_bytes(), file.stat().st_mtime_ns)
        for record in run.records
        if record.outcome is Outcome.OK
        for file in sorted(run.round_folder(record).iterdir())
    }


def all_files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def outcomes(run: RunFolder) -> dict[str, str]:
    return {f"{record.case.name}/{record.round}": record.outcome.value for record in run.records}


def wait_for(process: subprocess.Popen, *lines: str) -> None:
    """Reads what the driver prints until these lines have come, in this order."""
    wanted = list(lines)
    for line in process.stdout:
        if line.strip() == wanted[0]:
            wanted.pop(0)
        if not wanted:
            return
    raise AssertionError(process.stderr.read())


def two_cases() -> Matrix:
    first = Case(name="a", title="A", steps=3, width=64, height=32, frames=9)
    return Matrix(
        name="small",
        title="Small",
        prompt="A beaver.",
        cases=(first, first.model_copy(update={"name": "b", "title": "B", "seed": 7})),
        source="matrices/small.yaml",
        source_sha256="0" * 64,
    )


@pytest.fixture
def bench(tmp_path) -> Iterator[Bench]:
    bench = Bench(tmp_path, two_cases())
    yield bench
    for process in bench.started:
        end(process)
