"""sha256 of files, and the tensors in them that hold NaN, remembered as long as a file is the same.

Reading a file of 43 GB takes a minute: that happens once, before anything is timed.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ltxbench.errors import WeightsError
from ltxbench.frozen import Frozen
from ltxbench.regular import open_regular
from ltxbench.weights.finite import scan
from ltxbench.weights.header import read_header

CHUNK_BYTES = 1 << 22


def sha256_file(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Reads the whole file; `progress` gets the number of bytes of every chunk. Raises WeightsError."""
    digest = hashlib.sha256()
    try:
        with open_regular(path, follow=True) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                if progress:
                    progress(len(chunk))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


class Stamp(Frozen):
    """What changes when a file does. The time of its last status change is the one that programs cannot set back."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Contents(Frozen):
    """What reading a whole file has told."""

    sha256: str
    nonfinite: tuple[str, ...] | None = None
    """Tensors with NaN or infinity, and how many of each; None where it was read for its sum alone."""


class _Known(Frozen):
    stamp: Stamp
    contents: Contents


_STORED = TypeAdapter(dict[str, _Known])


class Sha256Cache:
    """Remembers under `folder`; a file whose stamp has changed is read anew."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "contents.json"
        self._known = self._load()

    def of(self, path: Path, progress: Callable[[int], None] | None = None) -> str:
        """The file's sha256, whatever is in it. Raises WeightsError."""
        known = self._fresh(path)
        return known.sha256 if known else self._keep(path, lambda: Contents(sha256=sha256_file(path, progress)))

    def tensors_of(self, path: Path, progress: Callable[[int], None] | None = None) -> Contents:
        """Of a safetensors file, with its tensors looked at. Raises WeightsError, for a wrong header too."""
        known = self._fresh(path)
        if known and known.nonfinite is not None:
            return known
        self._keep(path, lambda: read_contents(path, progress))
        return self._known[str(path.resolve())].contents

    def remembered(self, path: Path) -> str | None:
        """The sum that would be believed without reading the file."""
        known = self._fresh(path)
        return known.sha256 if known else None

    def _fresh(self, path: Path) -> Contents | None:
        known = self._known.get(str(path.resolve()))
        return known.contents if known and known.stamp == stamp_of(path) else None

    def _keep(self, path: Path, read: Callable[[], Contents]) -> str:
        before = stamp_of(path)
        contents = read()
        if stamp_of(path) != before:
            raise WeightsError(f"{path}: changed while it was read", hint="Wait until it is written, then try again.")
        self._known[str(path.resolve())] = _Known(stamp=before, contents=contents)
        self._write(self._load() | self._known)
        return contents.sha256

    def _load(self) -> dict[str, _Known]:
        """Anything but the expected form is forgotten: the sums can be made again."""
        try:
            return _STORED.validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return {}

    def _write(self, known: dict[str, _Known]) -> None:
        """Atomically; a cache folder that cannot be written costs time, not the run."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".contents-")
            with os.fdopen(handle, "wb") as file:
                file.write(_STORED.dump_json(known))
            Path(name).replace(self.path)
        except OSError:
            return


def read_contents(path: Path, progress: Callable[[int], None] | None = None) -> Contents:
    """Reads a safetensors file from its header to its end, whatever is remembered of it. Raises WeightsError."""
    found = scan(path, read_header(path), progress)
    return Contents(sha256=found.sha256, nonfinite=tuple(str(tensor) for tensor in found.nonfinite))


def stamp_of(path: Path) -> Stamp:
    """Raises WeightsError."""
    try:
        status = path.resolve().stat()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    return Stamp(
        size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns, inode=status.st_ino
    )
