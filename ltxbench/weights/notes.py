"""Small facts kept in the cache folder between runs: a JSON object of strings a file, replaced atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ltxbench.errors import ResourceError
from ltxbench.weights.cache import cache_folder

COMMITS = "commits.json"
"""Repository to the commit that its unpinned revision was resolved to."""
LICENCES = "licences.json"
"""Repository to the licence that was accepted for it."""
SUMS = "first-seen.json"
"""Path of a weights file to its sha256 when it was first used, or last accepted."""


def read(name: str) -> dict[str, str]:
    """What is not of the expected form is dropped: every note can be made again."""
    try:
        stored = json.loads((cache_folder() / name).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {key: value for key, value in stored.items() if isinstance(value, str)}


def add(name: str, entries: Mapping[str, str]) -> None:
    """Raises ResourceError."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
        with os.fdopen(handle, "w") as file:
            json.dump(read(name) | dict(entries), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(folder / name)
    except OSError as error:
        raise ResourceError(
            f"{folder}: cannot be written ({error.strerror})", hint="Set LTXBENCH_CACHE to another folder."
        ) from None
