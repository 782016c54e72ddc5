"""A baseline: a folder of small JSON files that lives in git or an artifact store.

    <folder>/<matrix>/<machine>/<run id>.json

One file a run and none that all share, so that two branches that add runs merge without a conflict.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ltxbench.errors import ResourceError, ResultError, UsageError
from ltxbench.regression.entry import SCHEMA_VERSION, Entry, MachineEntry
from ltxbench.regular import read_regular
from ltxbench.run.files import make_folder, resource_errors, write_atomically

LIMIT_BYTES = 4 << 20
MOST_FILES = 20_000
DEFAULT = Path("baseline")


@dataclass(frozen=True)
class Stored:
    path: Path
    entry: Entry


def place(folder: Path, entry: Entry) -> Path:
    """Where an entry belongs: names that any file system takes, the same for the same run."""
    return folder / slug(entry.matrix) / machine_slug(entry.machine) / f"{slug(entry.id)}.json"


def machine_slug(machine: MachineEntry) -> str:
    """`apple-m3-max-96gib`: chip, accelerator where it is another thing, memory. The system's version is not part."""
    parts = [machine.chip]
    if machine.accelerator and machine.accelerator.casefold() != machine.chip.casefold():
        parts.append(machine.accelerator)
    if machine.memory_bytes is not None:
        parts.append(f"{machine.memory_bytes / 2**30:.0f}GiB")
    return slug(" ".join(parts))


def slug(text: str) -> str:
    """Lower case, digits, dots and hyphens, at most 80; a text that loses something for it gets a hash at its end."""
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
    if plain and plain == re.sub(r"[\s_-]+", "-", text.lower()) and len(plain) <= 80:
        return plain
    return f"{plain[:64].strip('-.') or 'x'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def add(folder: Path, entry: Entry) -> Path:
    """The same run twice is one file, which keeps what it accepts. Raises UsageError when another run has its name,
    ResourceError."""
    path = place(folder, entry)
    if path.exists():
        kept = read(path)
        if kept.model_copy(update={"accepts": (), "forced": None}) != entry.model_copy(
            update={"accepts": (), "forced": None}
        ):
            raise UsageError(
                f"{path}: holds other figures of {kept.id!r}", hint="Remove the file if the run was changed on purpose."
            )
        entry = entry.model_copy(update={"accepts": _joined((kept.accepts, entry.accepts))})
    make_folder(path.parent)
    text = json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)
    write_atomically(path, text.encode() + b"\n")
    return path


def read(path: Path) -> Entry:
    """Raises ResultError for whatever is wrong with the file."""
    if path.is_symlink():
        raise ResultError(f"{path}: is a link; a baseline holds only files of its own")
    try:
        stored = json.loads(read_regular(path, LIMIT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: torn or not JSON ({error})") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ResultError(f"{path}: not an entry of a baseline (no schema_version)")
    if version > SCHEMA_VERSION:
        raise ResultError(
            f"{path}: written with schema {version}, this version reads up to {SCHEMA_VERSION}", hint="Update ltxbench."
        )
    try:
        return Entry.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ResultError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def load(folder: Path, matrix: str | None = None) -> tuple[Stored, ...]:
    """Every entry, the oldest first. Raises ResultError when the folder is not there, or a file is no entry."""
    if not folder.is_dir():
        raise ResultError(f"{folder}: no such baseline", hint="`ltxbench baseline add RUN` begins one.")
    pattern = "*/*/*.json" if matrix is None else f"{slug(matrix)}/*/*.json"
    files = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
    if len(files) > MOST_FILES:
        raise ResultError(f"{folder}: {len(files):,} files are too many", hint="`ltxbench baseline prune --keep N`.")
    found = [Stored(path, read(path)) for path in files]
    for each in found:
        if each.path != place(folder, each.entry):
            raise ResultError(f"{each.path}: holds run {each.entry.id!r}, which belongs at {place(folder, each.entry)}")
    return tuple(sorted(found, key=lambda each: each.entry.order))


def cases(folder: Path, entry: Entry) -> set[str]:
    """What the baseline has of the entry's matrix and machine."""
    place_of = place(folder, entry).parent
    return {name for path in place_of.glob("*.json") for name in read(path).by_name}


def prune(folder: Path, keep: int) -> tuple[Path, ...]:
    """Removes all but the latest `keep` of each matrix and machine, and of each system's version within them.

    An entry that accepts cases hands that to the oldest one that stays, so that a segment keeps its beginning.
    """
    groups: dict[tuple[str, Path, str], list[Stored]] = {}
    for each in load(folder):
        groups.setdefault((each.entry.matrix, each.path.parent, each.entry.machine.os), []).append(each)
    removed: list[Path] = []
    for group in groups.values():
        gone, kept = group[: max(0, len(group) - keep)], group[max(0, len(group) - keep) :]
        accepts = _joined(each.entry.accepts for each in gone)
        if kept and (missing := tuple(name for name in accepts if name not in kept[0].entry.accepts)):
            first = kept[0].entry
            add(folder, first.model_copy(update={"accepts": (*first.accepts, *missing)}))
        for each in gone:
            with resource_errors(each.path):
                each.path.unlink()
            removed.append(each.path)
    return tuple(removed)


def check_addable(entry: Entry) -> str | None:
    """Why an entry should not become part of a baseline; None where it may."""
    if entry.invalid:
        return f"the run is INVALID: {entry.invalid[0]}"
    lost = [case.name for case in entry.cases if not case.outcomes or set(case.outcomes) != {"ok"}]
    if lost:
        return f"not every round of {', '.join(lost)} finished"
    for case in entry.cases:
        if case.invalid:
            return f"{case.name} is INVALID: {case.invalid[0]}"
    if not entry.cases:
        return "it holds no case"
    return None


def writable(folder: Path) -> None:
    """Raises ResourceError where `folder` is something else than a folder."""
    if folder.exists() and not folder.is_dir():
        raise ResourceError(f"{folder}: is no folder", hint="Choose another one with --baseline.")


def _joined(names: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))
