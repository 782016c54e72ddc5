"""What a command is given: a run's folder, a page's folder with its run, or a file of pytest-benchmark."""

from __future__ import annotations

from pathlib import Path

from ltxbench.errors import ResultError
from ltxbench.regression.benchmark_file import MATRIX, take_file
from ltxbench.regression.entry import Entry
from ltxbench.regression.take import take_run
from ltxbench.run import store
from ltxbench.run.store import RunFolder


def open_run(path: Path) -> RunFolder:
    """Raises ResultError."""
    inside = path / "run"
    return store.load(inside if not (path / store.RUN_FILE).exists() and inside.is_dir() else path)


def take(path: Path, *, name: str | None = None) -> tuple[Entry, RunFolder | None]:
    """The entry, and the run where it was one. Raises ResultError."""
    if path.is_file():
        return take_file(path, name=name or MATRIX), None
    if not path.exists():
        raise ResultError(f"{path}: not there", hint="Give a run's folder, or what `pytest --benchmark-json` wrote.")
    run = open_run(path)
    return take_run(run), run
