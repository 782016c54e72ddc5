"""Quality as a run keeps it: cases/<name>/quality.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from ltxbench.errors import ResultError, UsageError
from ltxbench.matrix.case import Case
from ltxbench.matrix.selection import twin
from ltxbench.quality import frames
from ltxbench.quality.records import METRICS_VERSION, SCHEMA_VERSION, Against, QualityRecord
from ltxbench.regular import read_regular
from ltxbench.run import store
from ltxbench.run.store import RunFolder

QUALITY_FILE = "quality.json"
LIMIT_BYTES = 16 << 20
TWIN, REFERENCE = "bf16 twin", "reference case"


def read(path: Path) -> QualityRecord:
    """Raises ResultError: not there, torn, of another schema."""
    try:
        data = json.loads(read_regular(path, LIMIT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: cannot be read ({error})") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ResultError(f"{path}: written by a newer ltxbench (schema {version})", hint="Update ltxbench.")
    try:
        return QualityRecord.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ResultError(f"{path}: not a record of quality ({place}: {first['msg']})") from None


def of_case(run: RunFolder, name: str) -> QualityRecord | None:
    """What is stored of a case and still true of its frames; None where nothing is.

    Raises ResultError for a record that cannot be read.
    """
    path = run.case_folder(name) / QUALITY_FILE
    recorded = _frames_sha256(run, name)
    if recorded is None or not path.exists():
        return None
    found = read(path)
    return found if (found.frames_sha256, found.metrics_version) == (recorded, METRICS_VERSION) else None


def of_run(run: RunFolder) -> dict[str, QualityRecord]:
    """By case; those that were not measured are left out. Raises ResultError, see of_case."""
    found = {case.case.name: of_case(run, case.case.name) for case in run.cases}
    return {name: record for name, record in found.items() if record is not None}


def measure_run(
    run: RunFolder,
    references: Iterable[str] = (),
    *,
    again: bool = False,
    begins: Callable[[str], None] | None = None,
) -> dict[str, QualityRecord]:
    """Measures the cases whose stored figures are missing or stale, and stores them.

    Every case is compared with its bf16 twin, where it has one, with the reference that the matrix gives it, and with
    each of `references`.

    begins: is told the name of every case before it is measured; not of those whose figures are kept
    Raises UsageError for a reference that is no case of the run, ResultError for frames that cannot be read.
    """
    cases = {case.case.name: case.case for case in run.cases}
    references = tuple(references)
    if unknown := [name for name in references if name not in cases]:
        raise UsageError(f"the run has no case {unknown[0]!r} to compare with", hint=f"Its cases: {', '.join(cases)}.")
    measured = {}
    for name, case in cases.items():
        sha256 = _frames_sha256(run, name)
        if sha256 is None:
            continue
        wanted = _wanted(case, cases.values(), references)
        kept = None if again else _readable(run, name)
        if kept is None or not _covers(run, kept, wanted):
            if begins is not None:
                begins(name)
            kept = _measure(run, name, sha256, wanted, kept)
            if kept is None:
                continue
            store.write_record(run.case_folder(name) / QUALITY_FILE, kept)
        measured[name] = kept
    return measured


def _measure(
    run: RunFolder, name: str, sha256: str, wanted: dict[str, str], kept: QualityRecord | None
) -> QualityRecord | None:
    from ltxbench.quality.measure import assess  # scipy: reading what is stored needs none of it

    found = frames.of_case(run, name)
    if found is None:
        return None
    return QualityRecord(
        frames_sha256=sha256,
        source=found.source,
        quality=kept.quality if kept is not None and kept.source == found.source else assess(found.frames),
        against=tuple(_against(run, other, name, why) for other, why in wanted.items()),
    )


def _wanted(case: Case, cases: Iterable[Case], references: tuple[str, ...]) -> dict[str, str]:
    """Which cases this one is compared with, and why."""
    other = twin(case, cases)
    wanted = {other.name: TWIN} if other is not None else {}
    for name in (*references, *([case.reference] if case.reference else [])):
        if name != case.name:
            wanted.setdefault(name, REFERENCE)
    return wanted


def _against(run: RunFolder, reference: str, name: str, why: str) -> Against:
    from ltxbench.quality.compare import compare_cases

    missing = f"{reference} has no video"
    if _frames_sha256(run, reference) is None:
        return Against(case=reference, why=why, not_compared=missing)
    if (differs := _other_work(run, reference, name)) is not None:
        return Against(case=reference, why=why, not_compared=differs, reference_sha256=_frames_sha256(run, reference))
    try:
        comparison = compare_cases(run, reference, run, name)
    except UsageError as error:
        return Against(
            case=reference, why=why, not_compared=error.message, reference_sha256=_frames_sha256(run, reference)
        )
    return Against(case=reference, why=why, comparison=comparison, reference_sha256=_frames_sha256(run, reference))


def _other_work(run: RunFolder, one: str, two: str) -> str | None:
    """Cases that began from other noise draw another scene: their frames have nothing to compare."""
    noise = [
        next(case.facts.get("noise_sha256") for case in run.cases if case.case.name == name) for name in (one, two)
    ]
    if None not in noise and noise[0] != noise[1]:
        return "they began from different noise"
    return None


def _covers(run: RunFolder, kept: QualityRecord, wanted: dict[str, str]) -> bool:
    stored = {one.case: (one.why, one.reference_sha256) for one in kept.against}
    return stored == {name: (why, _frames_sha256(run, name)) for name, why in wanted.items()}


def _readable(run: RunFolder, name: str) -> QualityRecord | None:
    """What cannot be read is measured again."""
    try:
        return of_case(run, name)
    except ResultError:
        return None


def _frames_sha256(run: RunFolder, name: str) -> str | None:
    rounds = run.rounds_of(name)
    video = store.representative(rounds).video if rounds else None
    return video.frames_sha256 if video is not None else None
