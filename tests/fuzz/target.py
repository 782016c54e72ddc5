"""What a fuzzed thing must promise, whatever it is given: an answer or a stated refusal, soon, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Protocol

HANG_S = 5.0
"""Several hundred times what the slowest sound input takes; the machine may be shared."""


class Finding(Exception):
    """A promise that was broken."""


class Hang(BaseException):
    """Not an Exception, so that no `except Exception` on the way can hide it."""


class Target(Protocol):
    """One kind of input. `number` alone decides the input, so that any one of them can be made again."""

    name: str

    def make(self, random: Random) -> bytes: ...

    def check(self, data: bytes) -> str:
        """The outcome in a word or two, to be counted. Raises Finding, or whatever escapes."""
        ...


def random_for(seed: int, target: str, number: int) -> Random:
    return Random(f"{seed}/{target}/{number}")


@contextmanager
def time_limit(limit_s: float = HANG_S) -> Iterator[None]:
    """Raises Hang within the block. Main thread alone."""

    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Watch:
    """Everything that Python itself reports of the world being touched, while it is on.

    Files may be written in `folder` alone; nothing may be started, connected to, executed from text or unpickled.
    https://docs.python.org/3/library/audit_events.html
    """

    FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect",
                 "pickle.find_class", "ctypes.dlopen", "shutil.rmtree")  # fmt: skip
    CHANGING = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event in self.FORBIDDEN:
            self.seen.append(f"{event} {arguments!r:.200}")
        elif (event == "open" and self._writes(arguments)) or event in self.CHANGING:
            self._note(event, arguments[0])

    @staticmethod
    def _writes(arguments: tuple[object, ...]) -> bool:
        mode, flags = arguments[1], arguments[2]
        written = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        return written or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))

    def _note(self, event: str, place: object) -> None:
        if isinstance(place, int):
            return  # opened by name before
        path = Path(os.path.realpath(os.fsdecode(place)))  # type: ignore[arg-type]
        if not path.is_relative_to(self.folder):
            self.seen.append(f"{event} of {path}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raises Finding at the end of the block for what was seen in it."""
        self.seen.clear()
        self.on = True
        try:
            yield
        finally:
            self.on = False
        if self.seen:
            raise Finding(f"touched the world: {'; '.join(self.seen[:3])}")
