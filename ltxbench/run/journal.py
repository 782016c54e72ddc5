"""The journal of a run: what was begun and what ended, one line each, on the disk before anything goes on.

    {"event":"began","case":"qint8",...,"n":7,"sum":"<32 hex digits>"}

`sum` is the SHA-256 of all that comes before it in the line, so a line that was cut off or altered in any byte is
recognised and left out; `n` counts the lines, so a missing one is noticed too. Reading never fails: what is wrong is
told, what is right is used. Nothing in the file is ever changed; a torn line is ended and stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ltxbench.errors import ResourceError
from ltxbench.frozen import Frozen
from ltxbench.regular import open_regular
from ltxbench.run.files import resource_errors, sync, sync_descriptor
from ltxbench.run.records import Outcome, RunRecord

SIZE_LIMIT_BYTES = 256 << 20
_SUM_DIGITS = 32
_END = re.compile(rb',"n":([1-9][0-9]{0,8}),"sum":"([0-9a-f]{%d})"}' % _SUM_DIGITS)


class StoredFile(Frozen):
    """A file of a round as it was written."""

    name: str
    size_bytes: int
    sha256: str


class RunStated(Frozen):
    """The run's record as it was written: a second copy, should run.json be lost."""

    event: Literal["run"] = "run"
    record: RunRecord


class SessionBegan(Frozen):
    """A process took the run up."""

    event: Literal["session"] = "session"
    pid: int
    boot: str | None = None
    """Which start of the machine this is."""
    utc: str


class SessionEnded(Frozen):
    """That process ended by its own will: finished, interrupted, or with an error that it told."""

    event: Literal["session-ended"] = "session-ended"
    how: str


class RoundBegan(Frozen):
    event: Literal["began"] = "began"
    case: str
    round: int
    attempt: int
    identity: str


class RoundEnded(Frozen):
    event: Literal["ended"] = "ended"
    case: str
    round: int
    attempt: int
    outcome: Outcome
    identity: str
    files: tuple[StoredFile, ...]


Entry = RunStated | SessionBegan | SessionEnded | RoundBegan | RoundEnded

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="event")])


@dataclass(frozen=True)
class Contents:
    """What a journal says, as far as it can be believed."""

    entries: tuple[Entry, ...] = ()
    damage: tuple[str, ...] = ()
    """What is wrong with it, a sentence a place."""
    lines: int = 0
    """The highest number given to a line."""


def encode(entry: Entry, number: int) -> bytes:
    """One line, its end included."""
    body = json.dumps(entry.model_dump(mode="json"), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    head = body[:-1].encode() + b',"n":%d' % number
    return head + b',"sum":"' + _sum(head) + b'"}\n'


def decode(data: bytes) -> Contents:
    """Of any bytes whatsoever."""
    entries: list[Entry] = []
    damage: list[str] = []
    expected = 1
    lines = data.split(b"\n")
    for position, line in enumerate(lines, start=1):
        if not line:
            continue
        found = _decode_line(line)
        if found is None:
            what = "the last line is torn" if position == len(lines) else "is not as it was written"
            damage.append(f"line {position} of the journal: {what}")
            continue
        entry, number = found
        if number != expected:
            damage.append(f"line {position} of the journal: has number {number} where {expected} was due")
        expected = max(expected, number + 1)
        entries.append(entry)
    return Contents(tuple(entries), tuple(damage), lines=expected - 1)


def _decode_line(line: bytes) -> tuple[Entry, int] | None:
    end = _END.search(line, max(0, len(line) - _SUM_DIGITS - 40))
    if end is None or end.end() != len(line):
        return None
    head = line[: end.end(1)]
    if _sum(head) != end[2]:
        return None
    try:
        return _ENTRY.validate_json(line[: end.start()] + b"}"), int(end[1])
    except ValidationError:
        return None  # whole, but of a version that knows other events


def _sum(head: bytes) -> bytes:
    return hashlib.sha256(head).hexdigest()[:_SUM_DIGITS].encode()


def read(path: Path) -> Contents:
    """Empty where there is no journal. Never raises for what the file holds."""
    try:
        with open_regular(path) as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return Contents(damage=("the journal is not there",))
    except OSError as error:
        return Contents(damage=(f"the journal cannot be read ({error.strerror})",))
    contents = decode(data[:SIZE_LIMIT_BYTES])
    if len(data) > SIZE_LIMIT_BYTES:
        told = f"the journal: what follows the first {SIZE_LIMIT_BYTES:,} bytes is not read"
        return replace(contents, damage=(*contents.damage, told))
    return contents


class Journal:
    """The writing end. Every entry is on the disk when `append` returns."""

    def __init__(self, path: Path, *, lines: int = 0) -> None:
        """`lines`: how many the file has already. Raises ResourceError when it cannot be written."""
        self._path = path
        self._lines = lines
        with resource_errors(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptor = os.open(path, flags, 0o644)
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                os.close(self._descriptor)
                raise ResourceError(f"{path}: cannot be written (not a regular file)")
            size = status.st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                os.write(self._descriptor, b"\n")
            sync(path.parent)

    def append(self, entry: Entry) -> None:
        """Raises ResourceError when the disk is full; a part of the line that got there is taken back if it can be."""
        line = encode(entry, self._lines + 1)
        with resource_errors(self._path):
            size = os.fstat(self._descriptor).st_size
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                self._lines += 1  # before the sync, during which Ctrl-C may come
            except OSError:
                os.ftruncate(self._descriptor, size)
                raise
            sync_descriptor(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def stated_run(entries: Iterable[Entry]) -> RunRecord | None:
    """The run's record as it was stated last."""
    return next((entry.record for entry in reversed(list(entries)) if isinstance(entry, RunStated)), None)


def ended(entries: Iterable[Entry]) -> dict[tuple[str, int], RoundEnded]:
    """How each round ended last, by case and round."""
    return {(entry.case, entry.round): entry for entry in entries if isinstance(entry, RoundEnded)}


def deaths(entries: Sequence[Entry]) -> dict[str, int]:
    """By case: how often a round of it was begun by a process of which nothing was heard again.

    Neither the round nor the process ended by its own account: the machine, or all of the processes on it, died.
    """
    died: dict[str, int] = {}
    running: RoundBegan | None = None
    for entry in entries:
        match entry:
            case RoundBegan():
                running = entry
            case RoundEnded() | SessionEnded():
                running = None
            case SessionBegan() if running is not None:
                died[running.case] = died.get(running.case, 0) + 1
                running = None
            case _:
                pass
    if running is not None:
        died[running.case] = died.get(running.case, 0) + 1
    return died


def attempts(entries: Iterable[Entry]) -> dict[tuple[str, int], int]:
    """The highest attempt at each round so far."""
    highest: dict[tuple[str, int], int] = {}
    for entry in entries:
        if isinstance(entry, RoundBegan | RoundEnded):
            key = entry.case, entry.round
            highest[key] = max(highest.get(key, 0), entry.attempt)
    return highest
