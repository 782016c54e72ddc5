"""What the last report wrote: so that the next one removes those files and no others, and a check knows their sources.

A picture is checked by what it was made from: another version of matplotlib, Pillow or FFmpeg gives other bytes for the
same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from ltxbench.errors import ResultError
from ltxbench.frozen import Frozen
from ltxbench.regular import read_regular
from ltxbench.run.files import write_atomically

FILE = ".written-by-ltxbench"
LIMIT_BYTES = 16 << 20


class Options(Frozen):
    """How a page was asked for, beyond its run; the next report keeps it."""

    base_url: str | None = None
    """Put before the paths of videos."""


class Entry(Frozen):
    sha256: str
    """Of the file."""
    source_sha256: str | None = None
    """Of what a picture shows; None for text."""


class _Stored(Frozen):
    options: Options = Options()
    files: dict[str, Entry] = {}


@dataclass(frozen=True)
class Manifest:
    options: Options = field(default_factory=Options)
    files: Mapping[str, Entry] = field(default_factory=dict)
    """By path relative to the page's folder."""


@dataclass
class Sources:
    """Collects what each picture was made from while a page is rendered."""

    of: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *parts: object) -> None:
        """parts: all that decides the picture, each by its text or bytes."""
        self.of[name] = digest(*parts)


def digest(*parts: object) -> str:
    """sha256 of the parts, each with its length, so that no two lists of parts run together."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


def read(folder: Path) -> Manifest:
    """Of the page in `folder`; an empty one where there is none. Raises ResultError when it is torn."""
    file = folder / FILE
    try:
        text = read_regular(file, LIMIT_BYTES).decode()
    except FileNotFoundError:
        return Manifest()
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"{file}: cannot be read ({error})") from None
    if not text.startswith("{"):  # until pages were checked: one path a line
        return Manifest(files={name: Entry(sha256="") for name in text.splitlines() if is_ours(name)})
    try:
        stored = _Stored.model_validate_json(text)
    except ValidationError as error:
        raise ResultError(
            f"{file}: torn or edited ({error.errors(include_url=False)[0]['msg']})",
            hint="Remove it, and write the page again.",
        ) from None
    return Manifest(stored.options, {name: entry for name, entry in stored.files.items() if is_ours(name)})


def write(folder: Path, manifest: Manifest) -> None:
    """Raises ResourceError."""
    stored = _Stored(options=manifest.options, files=dict(sorted(manifest.files.items())))
    text = json.dumps(stored.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False)
    write_atomically(folder / FILE, text.encode() + b"\n")


def entry(file: Path, name: str, sources: Sources) -> Entry:
    return Entry(sha256=file_sha256(file), source_sha256=sources.of.get(name))


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


FOLDERS = ("plots", "frames", "assets", "posters")
PAGES = ("README.md", "index.html")


def is_ours(name: str) -> bool:
    """The list may have been edited: nothing but the pages and what lies in these folders is ever removed."""
    path = PurePosixPath(name)
    inside = path.parts[:1] and path.parts[0] in FOLDERS and len(path.parts) >= 2
    plain = not any(part in ("..", ".") or "\\" in part or "\0" in part for part in path.parts)
    return name in PAGES or bool(inside and plain and path.as_posix() == name)
