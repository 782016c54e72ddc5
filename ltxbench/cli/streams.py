"""What is printed is for whoever reads it: a command goes on when nobody does any more, and ends with its own code."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ltxbench.run.files import disk_full

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def say(line: str, *, file: TextIO | None = None) -> None:
    """Prints one line. What in it would steer the terminal, or begin another line, is shown as U+FFFD: much of what
    is printed was read from files that may come from anybody."""
    from ltxbench.report.escape import visible

    print(visible(line).replace("\n", "\ufffd"), file=file)


class Lasting(io.FileIO):
    """A descriptor whose other end may go away: a closed pipe, a terminal that hung up, a full disk.

    What is written after the first failure is dropped.
    """

    lost: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def make_lasting() -> Lasting | None:
    """From now on printing never fails. Returns what is below standard output; None where that is closed or replaced.

    Prompts may hold what a terminal's encoding does not: that is shown as escapes.
    """
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr, _ = _lasting(sys.stderr)
    if sys.stdout is not sys.__stdout__ or not isinstance(sys.stdout, io.TextIOWrapper):
        return None
    sys.stdout, printed = _lasting(sys.stdout)
    return printed


def _lasting(stream: io.TextIOWrapper) -> tuple[io.TextIOWrapper, Lasting]:
    raw = Lasting(stream.fileno(), "w", closefd=False)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, raw


def refuse_lost(printed: Lasting | None) -> None:
    """Raises ResourceError where not all that was printed is there, because the disk that it went to is full.

    A reader that had enough is nobody's mistake.
    """
    if printed is None:
        return
    sys.stdout.flush()
    full = None if printed.lost is None else disk_full(printed.lost, Path("standard output"))
    if full is not None:
        raise full
