"""The text of files from elsewhere: read once, capped, and freed of what terminals leave in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ltxbench.errors import ResultError, UsageError

LIMIT_BYTES = 16 << 20
LIMIT_FILES = 500
SUFFIXES = (".log", ".txt", ".md", ".markdown", ".out")

# CSI and OSC sequences, and the two-character escapes (ECMA-48).
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TIMES = re.compile(r"^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t]", re.MULTILINE)
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True)
class Source:
    path: Path
    text: str
    """Lines end with a newline character; no escapes, no control characters."""
    sha256: str
    """Of the file's bytes."""


def read_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Files as they are given; of a folder, its logs and pages by name.

    Raises UsageError for nothing to read, ResultError for a file that cannot be read or is too large.
    """
    files = [file for path in paths for file in (_files_of(path) if path.is_dir() else [path])]
    if not files:
        raise UsageError(
            f"{', '.join(map(str, paths))}: holds no file to import",
            hint=f"A page or printed output: {', '.join(SUFFIXES)}.",
        )
    if len(files) > LIMIT_FILES:
        raise ResultError(f"{len(files):,} files are more than the {LIMIT_FILES} that one import reads")
    return tuple(_read(file) for file in files)


def sum_of(sources: Sequence[Source]) -> str:
    """sha256 of one file; of several, over their names and sums."""
    if len(sources) == 1:
        return sources[0].sha256
    lines = "".join(f"{source.sha256}  {source.path.name}\n" for source in sources)
    return hashlib.sha256(lines.encode()).hexdigest()


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)


def _read(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(data) > LIMIT_BYTES:
        raise ResultError(f"{path}: larger than {LIMIT_BYTES >> 20} MiB, which no page or log of this kind is")
    return Source(path, plain(_decode(data)), hashlib.sha256(data).hexdigest())


def _decode(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    return data.decode("utf-8", errors="replace")


def plain(text: str) -> str:
    """Without escape sequences, and without the time that a logger puts before each line.

    A line that was overwritten in place is several lines.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _TIMES.sub("", _CONTROLS.sub("", text))
