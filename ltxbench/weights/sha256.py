"""sha256 of files, remembered by size, modification time and inode."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ltxbench.errors import WeightsError

CHUNK_BYTES = 1 << 22


def sha256_file(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Reads the whole file; `progress` gets the number of bytes of every chunk. Raises WeightsError."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                if progress:
                    progress(len(chunk))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


class Sha256Cache:
    """Remembers sums under `folder`; a file that changed in size, time or inode is summed anew."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sha256.json"
        self._known = self._load()

    def of(self, path: Path, progress: Callable[[int], None] | None = None) -> str:
        real = path.resolve()
        try:
            status = real.stat()
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(str(real))
        if known and known[:3] == stamp:
            return str(known[3])
        digest = sha256_file(real, progress)
        self._known[str(real)] = [*stamp, digest]
        self._save()
        return digest

    def _load(self) -> dict[str, list[int | str]]:
        """Anything but the expected form is forgotten: the sums can be made again."""
        try:
            stored = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {key: value for key, value in stored.items() if isinstance(value, list) and len(value) == 4}

    def _save(self) -> None:
        """Atomically; a cache folder that cannot be written costs time, not the run."""
        merged = self._load() | self._known
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".sha256-")
            with os.fdopen(handle, "w") as file:
                json.dump(merged, file)
            Path(name).replace(self.path)
        except OSError:
            return
