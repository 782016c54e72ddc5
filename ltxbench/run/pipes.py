"""What joins a case's process to its parent."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from ltxbench.run.files import resource_errors


class Pipes:
    """Ends of pipes, each closed exactly once: its number may long belong to another file."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def open(self) -> tuple[int, int]:
        """The reading and the writing end."""
        ends = os.pipe()
        self._open.update(ends)
        return ends

    def close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        os.close(descriptor)

    def __enter__(self) -> Pipes:
        return self

    def __exit__(self, *exception: object) -> None:
        while self._open:
            os.close(self._open.pop())


def nameless_file(data: bytes) -> IO[bytes]:
    """A file without a name: a pipe would block where the data is larger than its buffer."""
    folder = Path(tempfile.gettempdir())
    with resource_errors(folder), ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        file.write(data)
        file.seek(0)
        stack.pop_all()
    return file
