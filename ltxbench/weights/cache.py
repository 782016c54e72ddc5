"""Where ltxbench keeps what can be made or fetched again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def cache_folder() -> Path:
    """`LTXBENCH_CACHE`, or the platform's place for caches. Not created here."""
    if chosen := os.environ.get("LTXBENCH_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ltxbench"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ltxbench"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held until the block ends or the process does; others wait. Raises OSError."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
