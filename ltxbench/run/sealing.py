"""A round's files and their hashes: written last, so that a round is complete when they all agree, and not before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from ltxbench.frozen import Frozen
from ltxbench.regular import read_regular
from ltxbench.run import store
from ltxbench.run.files import sync, write_atomically
from ltxbench.run.journal import StoredFile
from ltxbench.run.records import CaseRecord

SEAL_FILE = "files.json"
SEAL_LIMIT_BYTES = 1 << 20


class Seal(Frozen):
    files: tuple[StoredFile, ...]


def seal(folder: Path) -> tuple[StoredFile, ...]:
    """Hashes what a round left, once it is on the disk. Raises ResourceError when that fails."""
    files = tuple(
        _stored(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != SEAL_FILE and not path.name.startswith(".")
    )
    for file in files:
        sync(folder / file.name)
    text = json.dumps(Seal(files=files).model_dump(mode="json"), indent=1)
    write_atomically(folder / SEAL_FILE, text.encode() + b"\n")
    return files


def read_seal(folder: Path) -> tuple[StoredFile, ...]:
    """Nothing where there is none, or none that can be read."""
    try:
        return Seal.model_validate_json(read_regular(folder / SEAL_FILE, SEAL_LIMIT_BYTES)).files
    except (OSError, ValidationError):
        return ()


def wrong(folder: Path, files: Iterable[StoredFile]) -> str | None:
    """What is not as `files` says, in a sentence; None when all of it is."""
    listed = {file.name: file for file in files}
    if store.CASE_FILE not in listed:
        return "nothing vouches for its record"
    for name, file in listed.items():
        path = folder / name
        if "/" in name or name.startswith(".") or path.is_symlink() or not path.is_file():
            return f"{name} is not there"
        if path.stat().st_size != file.size_bytes or _sha256(path) != file.sha256:
            return f"{name} is not as it was written"
    return None


def unvouched(record: CaseRecord, files: Iterable[StoredFile]) -> str | None:
    """A file that the record names and `files` does not."""
    listed = {file.name for file in files}
    named = (record.video.file, record.video.lossless) if record.video else ()
    return next((name for name in named if name is not None and name not in listed), None)


def _stored(path: Path) -> StoredFile:
    return StoredFile(name=path.name, size_bytes=path.stat().st_size, sha256=_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
