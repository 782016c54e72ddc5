"""What a child prints: kept in a file up to a limit, the last of it always at hand."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from ltxbench.run.files import resource_errors

HEAD_BYTES = 256 << 10
TAIL_BYTES = 8 << 10


class OutputLog:
    """The file holds the beginning and, once that is full, the end, with a line between them that says so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = b""
        self._room = HEAD_BYTES
        self._beyond = 0
        with resource_errors(path):
            self._file = path.open("wb")

    def __enter__(self) -> OutputLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Raises ResourceError when the disk is full."""
        head, rest = data[: self._room], data[self._room :]
        self._room -= len(head)
        self._beyond += len(rest)
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        with resource_errors(self._path):
            self._file.write(head)
            self._file.flush()

    def close(self) -> None:
        with resource_errors(self._path), self._file:
            if self._beyond:
                end = self._tail[-min(self._beyond, TAIL_BYTES) :]
                if left_out := self._beyond - len(end):
                    self._file.write(f"\n[... {left_out:,} bytes left out ...]\n".encode())
                self._file.write(end)

    @property
    def tail(self) -> str:
        """The last TAIL_BYTES, without a first line that is cut."""
        text = self._tail.decode(errors="replace")
        if len(self._tail) == TAIL_BYTES and "\n" in text:
            text = text.partition("\n")[2]
        return text
