"""What a stored run holds that can be trusted, whatever happened to it: the rest is to be run again.

A round is complete when its record can be read, belongs to this case, code and weights, and every file that it left
is byte for byte as it was written: as the journal says, or the round's own files.json, should the journal be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ltxbench.errors import ResultError, UsageError
from ltxbench.run import store
from ltxbench.run.identity import identity
from ltxbench.run.journal import Contents, RoundEnded, StoredFile, attempts, deaths, ended, read, stated_run
from ltxbench.run.order import planned
from ltxbench.run.records import CaseRecord, Outcome, RunRecord
from ltxbench.run.sealing import read_seal, unvouched, wrong

LATEST = "latest"
MAX_SEED = (1 << 32) - 1


@dataclass(frozen=True)
class Remains:
    """Of a run that was made before."""

    path: Path
    record: RunRecord
    complete: tuple[CaseRecord, ...]
    """The rounds that went well and are as they were written."""
    attempts: dict[tuple[str, int], int]
    """How often each round was begun."""
    deaths: dict[str, int]
    """How often each case took its run, or the machine, down with it."""
    lines: int
    """Of the journal."""
    notes: tuple[str, ...]
    """What was found damaged, a sentence each."""


def find_run(root: Path, matrix_name: str, which: str) -> Path:
    """The run `latest`, one by its id, or a folder. Raises ResultError when there is none."""
    runs = root / matrix_name
    if which == LATEST:
        # A process that died before it had written anything leaves a folder that is no run yet.
        files = (runs.glob(f"*/{name}") for name in (store.RUN_FILE, store.JOURNAL_FILE))
        if folders := sorted({file.parent for file in chain(*files) if not file.parent.name.startswith(".")}):
            return folders[-1]
        raise ResultError(f"{runs}: no run to resume", hint="Leave --resume out to start one.")
    for path in (runs / which, Path(which)):
        if which and path.is_dir():
            return path
    raise ResultError(f"no run {which!r} in {runs}", hint=f"Give its id, its folder, or {LATEST}.")


def read_run(path: Path) -> tuple[RunRecord, Contents]:
    """A run's record and its journal. The journal's copy of the record counts first: it carries a checksum.

    Raises ResultError when neither can be read, for a run of a newer schema, and for one that holds links or pipes.
    """
    store.refuse_strangers(path)
    journal = read(path / store.JOURNAL_FILE)
    record = stated_run(journal.entries)
    try:
        written = store.read_record(path / store.RUN_FILE, path, RunRecord)
    except ResultError as error:
        if record is None or isinstance(error, store.NewerSchema):
            raise
    else:
        record = record or written
    if record.imported is not None:
        raise UsageError(f"{path}: was imported and cannot be resumed")
    _check_plan(path, record)
    return record, journal


def _check_plan(path: Path, record: RunRecord) -> None:
    """Raises ResultError for an order that the run's own matrix and options cannot have given."""
    schedule, names = record.schedule, {case.name for case in record.matrix.cases}
    ordered = {name for names_of in schedule.order for name in names_of}
    seed_fits = schedule.order_seed is None or 0 <= schedule.order_seed <= MAX_SEED
    if not ordered <= names or not set(record.selected) <= names or not seed_fits:
        raise ResultError(f"{path}: its order of cases does not belong to its matrix")


def restore_record(path: Path, record: RunRecord) -> None:
    """Writes run.json again where it is not what the run is. Raises ResourceError."""
    try:
        if store.read_record(path / store.RUN_FILE, path, RunRecord) == record:
            return
    except ResultError:
        pass
    store.write_record(path / store.RUN_FILE, record)


def examine_run(path: Path, record: RunRecord, journal: Contents) -> Remains:
    """Checks every round of `record`, which is the run's as it is to go on."""
    how_ended = ended(journal.entries)
    complete: list[CaseRecord] = []
    notes = list(journal.damage)
    numbers = {case.name: number for number, case in enumerate(record.matrix.cases, start=1)}
    for name, number in planned(record.schedule):
        folder = path / store.CASES / name / f"{store.ROUND}{number}"
        try:
            found = _checked(path, folder, record, numbers[name], number, how_ended.get((name, number)))
        except ResultError as error:
            notes.append(f"{error.message}; the round is run again")
            continue
        if found is not None and found.outcome is Outcome.OK:
            complete.append(found)
    return Remains(
        path=path,
        record=record,
        complete=tuple(complete),
        attempts=attempts(journal.entries),
        deaths=deaths(journal.entries),
        lines=journal.lines,
        notes=tuple(notes),
    )


def _checked(
    path: Path, folder: Path, record: RunRecord, number: int, round_number: int, told: RoundEnded | None
) -> CaseRecord | None:
    """The round's record; None where the round did not end. Raises ResultError for what cannot be trusted."""
    file = folder / store.CASE_FILE
    if not file.exists() and not file.is_symlink():
        if told is not None and told.outcome is Outcome.OK:
            raise ResultError(f"{file}: is not there, though the round had ended")
        return None
    found = store.read_record(file, path, CaseRecord)
    case = record.matrix.cases[number - 1]
    if found.case != case or found.number != number or found.round != round_number:
        raise ResultError(f"{file}: is not the record of case {case.name!r}, round {round_number}")
    if found.identity != identity(record, case):
        raise ResultError(f"{file}: was made from another case, code or weights")
    damage = None
    for files in _witnesses(folder, told):
        damage = wrong(folder, files)
        if damage is None and (missing := unvouched(found, files)) is not None:
            damage = f"nothing vouches for {missing}"
        if damage is None:
            return found
    raise ResultError(f"{folder}: {damage or 'nothing vouches for its files'}")


def _witnesses(folder: Path, told: RoundEnded | None) -> Iterator[tuple[StoredFile, ...]]:
    if told is not None:
        yield told.files
    if seal := read_seal(folder):
        yield seal
