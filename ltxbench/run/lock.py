"""One benchmark at a time on a machine: two at once would measure each other."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ltxbench.errors import Busy, ResourceError
from ltxbench.matrix.problems import printable
from ltxbench.run.files import make_folder, resource_errors
from ltxbench.weights.cache import cache_folder

FILE = "benchmark.lock"


@contextmanager
def machine_lock(
    purpose: str,
    *,
    wait: bool = False,
    on_wait: Callable[[str], object] = str,
    path: Path | None = None,
) -> Iterator[None]:
    """Held while the context is open; the kernel lets go when its holder dies, however that happens.

    Raises Busy when another process holds it; with `wait` it is waited for, and `on_wait` told who has it.
    """
    path = path or cache_folder() / FILE
    make_folder(path.parent)
    with resource_errors(path):
        # What a link leads to is not ours to empty, and a pipe would be waited for.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ResourceError(f"{path}: cannot be written (not a regular file)", hint="Remove it.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            if not wait:
                raise Busy(
                    f"another benchmark is running on this machine: {holder}",
                    hint="Wait for it with --wait, or stop it.",
                ) from None
            on_wait(holder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with resource_errors(path):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "purpose": purpose}).encode(), 0)
        try:
            yield
        finally:
            os.truncate(descriptor, 0)
    finally:
        # The file stays: deleting it would let two processes lock two files of one name.
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {int(told['pid'])}, {printable(str(told['purpose']))}"
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):  # anybody may have written there
        return "its process is unknown"
