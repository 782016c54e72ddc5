"""Where ltxbench keeps what can be made or fetched again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ltxbench.errors import ResourceError


def cache_folder() -> Path:
    """`LTXBENCH_CACHE`, or the platform's place for caches. Not created here. Raises ResourceError for none."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen := os.environ.get("LTXBENCH_CACHE"):
            return Path(chosen).expanduser()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "ltxbench"
        return (Path(base) if base else Path.home() / ".cache") / "ltxbench"
    except RuntimeError:  # neither HOME nor the user database knows one, as in many containers
        raise ResourceError(
            "there is no folder for the cache: this user has no home",
            hint="Set LTXBENCH_CACHE to a folder that you may write to.",
        ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held until the block ends or the process does; others wait. Raises OSError."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
