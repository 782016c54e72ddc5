"""The store: a run is a folder (see records), written whole or not at all, and believed only after it was checked.

<root>/<matrix name>/<run id>/
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import ValidationError

from ltxbench.errors import ResultError
from ltxbench.frozen import Frozen
from ltxbench.matrix.problems import quoted
from ltxbench.regular import read_regular
from ltxbench.run.files import make_folder, resource_errors, sync, write_atomically
from ltxbench.run.records import (
    CHECK_ROUND,
    DENOISING,
    MEMORY_COLUMNS,
    SCHEMA_VERSION,
    CaseRecord,
    Outcome,
    Phase,
    RunRecord,
)
from ltxbench.run.upgrades import upgrade

if TYPE_CHECKING:
    import pandas as pd

RUN_FILE = "run.json"
CASE_FILE = "record.json"
MEMORY_FILE = "memory.csv"
OUTPUT_FILE = "output.txt"
CASES = "cases"
ENHANCE = "enhance"
SUPERSEDED = "superseded"
JOURNAL_FILE = "journal.jsonl"
ROUND = "round-"
LOSSLESS_SUFFIX = ".mkv"
RECORD_LIMIT_BYTES = 64 << 20
MOST_NAME_BYTES = 200
"""Of a folder or file; file systems take 255, and suffixes are put behind it."""
MOST_SHOWN = 60

Record = TypeVar("Record", RunRecord, CaseRecord)


class NewerSchema(ResultError):
    """A record that a later version wrote: whole, and not to be replaced."""


@dataclass(frozen=True)
class RunFolder:
    """A run as it is stored. `records` are the rounds that have ended, by case in the matrix's order, then by round."""

    path: Path
    record: RunRecord
    records: tuple[CaseRecord, ...] = ()

    @cached_property
    def cases(self) -> tuple[CaseRecord, ...]:
        """One record a case, the one that stands for it: its first round that went well, else its last one."""
        return tuple(representative(rounds) for name in self._names if (rounds := self.rounds_of(name)))

    def rounds_of(self, name: str) -> tuple[CaseRecord, ...]:
        """The timed rounds of a case that have ended."""
        return tuple(record for record in self._by_name.get(name, ()) if record.round != CHECK_ROUND)

    def check_of(self, name: str) -> CaseRecord | None:
        """The round without instruments."""
        return next((record for record in self._by_name.get(name, ()) if record.round == CHECK_ROUND), None)

    def case_folder(self, name: str) -> Path:
        """Raises ResultError for a name that would lead out of the run's folder."""
        return self.path / CASES / _plain_name(name, self.path)

    def round_folder(self, record: CaseRecord) -> Path:
        return self.folder_of(record.case.name, record.round)

    def folder_of(self, name: str, number: int) -> Path:
        """Of one round of a case. Raises ResultError, see case_folder."""
        folder = self.case_folder(name)
        return folder if (folder / CASE_FILE).exists() else folder / f"{ROUND}{number}"

    def video_path(self, name: str) -> Path | None:
        """None when the case has no video. Raises ResultError when a record names one that is not there."""
        return self._kept(name, "file")

    def lossless_path(self, name: str) -> Path | None:
        """The frames of `video_path` without loss; None where they were not kept, or not published."""
        return self._kept(name, "lossless")

    def memory_series(self, name: str, number: int | None = None) -> pd.DataFrame | None:
        """One sample a row (records.MEMORY_COLUMNS), None when there is none; of the representative round unless told.

        Raises ResultError when it is torn.
        """
        import pandas as pd

        path = self.folder_of(name, self._case(name).round if number is None else number) / MEMORY_FILE
        if not path.exists():
            return None
        kinds = {"time_s": "float64", "phase": "string"}
        try:
            data = read_regular(_inside(path, self.path), RECORD_LIMIT_BYTES)
            series = pd.read_csv(
                io.BytesIO(data), dtype={column: kinds.get(column, "Int64") for column in MEMORY_COLUMNS}
            )
            if not {"time_s"} <= set(series.columns) <= set(MEMORY_COLUMNS):
                raise ValueError(f"its columns are {shown(', '.join(map(str, series.columns)))}")
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise ResultError(f"{path}: not a memory series ({error})") from None
        return series

    def _kept(self, name: str, kind: Literal["file", "lossless"]) -> Path | None:
        """A file of the representative's frames, from whichever round keeps them."""
        shown = self._case(name)
        if shown.video is None:
            return None
        for record in (shown, *self.rounds_of(name)):
            video = record.video
            if video is None or video.frames_sha256 != shown.video.frames_sha256:
                continue
            if (file := getattr(video, kind)) is not None:
                path = self.round_folder(record) / _plain_name(file, self.path)
                if kind == "lossless" and not path.exists():
                    continue  # a published copy leaves them out
                return _inside(path, self.path)
        return None

    def _case(self, name: str) -> CaseRecord:
        if rounds := self.rounds_of(name):
            return representative(rounds)
        raise ResultError(f"{self.path}: no result of a case {name!r}")

    @cached_property
    def _by_name(self) -> dict[str, list[CaseRecord]]:
        found: dict[str, list[CaseRecord]] = {}
        for record in self.records:
            found.setdefault(record.case.name, []).append(record)
        return found

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._by_name)


def representative(rounds: Sequence[CaseRecord]) -> CaseRecord:
    """The record that stands for a case: its first round that went well, else its last one."""
    return next((record for record in rounds if record.outcome is Outcome.OK), rounds[-1])


def create(root: Path, record: RunRecord) -> RunFolder:
    """Makes the folder of a run that begins. Raises ResourceError when it cannot be written."""
    path = root / _plain_name(record.matrix.name, root) / _plain_name(record.id, root)
    make_folder(path / CASES)
    write_record(path / RUN_FILE, record)
    return RunFolder(path, record)


def new_run_id(now: datetime | None = None) -> str:
    """Sorts by time: `20260131T235959Z-3f9a`."""
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def write_case(run: RunFolder, record: CaseRecord, memory_csv: bytes | None = None) -> RunFolder:
    """Adds a case that has ended; its record comes last, so that a record that is there is complete."""
    folder = run.round_folder(record)
    make_folder(folder)
    if memory_csv is not None:
        write_atomically(folder / MEMORY_FILE, memory_csv)
    write_record(folder / CASE_FILE, record)
    this = (record.number, record.round)
    records = [other for other in run.records if (other.number, other.round) != this]
    return RunFolder(run.path, run.record, in_order([*records, record]))


def supersede(run: Path, name: str, number: int) -> Path | None:
    """Puts what an attempt at a round left out of the way, so that it can be repeated; None where there was nothing."""
    old = run / CASES / _plain_name(name, run) / f"{ROUND}{number}"
    if not old.exists():
        return None
    folder = run / SUPERSEDED / name
    make_folder(folder)
    taken = {entry.name for entry in folder.iterdir()}
    attempt = next(attempt for attempt in count(1) if f"{old.name}-{attempt}" not in taken)
    with resource_errors(folder):
        old.rename(folder / f"{old.name}-{attempt}")
        sync(folder)
        sync(old.parent)
    return folder / f"{old.name}-{attempt}"


def in_order(records: Iterable[CaseRecord]) -> tuple[CaseRecord, ...]:
    """By case in the matrix's order, then by round."""
    return tuple(sorted(records, key=lambda record: (record.number, record.round)))


def write_record(path: Path, record: Frozen) -> None:
    """Raises ResourceError, see files.replacing."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode() + b"\n")


def load(path: Path) -> RunFolder:
    """Reads a run and checks it: schema, names, no links, every video where its record says.

    Raises ResultError. Rounds that have no record did not end, and are left out.
    """
    if not path.is_dir():
        raise ResultError(f"{path}: no such run", hint="`ltxbench bench MATRIX` makes one.")
    record = read_record(path / RUN_FILE, path, RunRecord)
    records = []
    for number, case in enumerate(record.matrix.cases, start=1):
        for file, round_number in _round_files(path / CASES / _plain_name(case.name, path)):
            found = read_record(file, path, CaseRecord)
            if found.case != case or found.number != number or found.round != round_number:
                raise ResultError(f"{file}: is not the record of case {case.name!r} as this run's matrix has it")
            records.append(found)
    run = RunFolder(path, record, in_order(records))
    for case_record in run.cases:
        run.video_path(case_record.case.name)
    return run


def _round_files(folder: Path) -> Iterator[tuple[Path, int]]:
    """The records below a case's folder, and of which round each must be."""
    if (file := folder / CASE_FILE).exists() or file.is_symlink():
        yield file, 1
        return
    for entry in sorted(folder.glob(f"{ROUND}*")):
        number = entry.name.removeprefix(ROUND)
        if (
            number.isdecimal()
            and number == str(int(number))
            and ((file := entry / CASE_FILE).exists() or file.is_symlink())
        ):
            yield file, int(number)


def latest(root: Path, matrix_name: str) -> Path | None:
    """The youngest run of a matrix, None when there is none."""
    runs = sorted((root / _plain_name(matrix_name, root)).glob(f"*/{RUN_FILE}"))
    return runs[-1].parent if runs else None


def publish(run: Path, destination: Path) -> None:
    """Replaces `destination` with a copy of a run, without the lossless frames: by renaming, once it is complete.

    Raises ResultError when `run` holds links or pipes, ResourceError when the copy cannot be written.
    """
    refuse_strangers(run)
    if destination.exists() and destination.resolve() == run.resolve():
        return
    make_folder(destination.parent)
    copy, old = (destination.with_name(f".{destination.name}.{kind}-{secrets.token_hex(4)}") for kind in ("new", "old"))
    with resource_errors(destination):
        try:
            _copy_tree(run, copy)
            if destination.exists():
                destination.rename(old)
            copy.rename(destination)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
            if old.exists() and not destination.exists():
                old.rename(destination)
            shutil.rmtree(old, ignore_errors=True)


def _copy_tree(source: Path, destination: Path) -> None:
    """Without metadata, lossless frames and what an interrupted write left; one plain OSError at the first failure."""
    destination.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            _copy_tree(entry, destination / entry.name)
        elif not (entry.name.startswith(".") and entry.name.endswith(".tmp")) and entry.suffix != LOSSLESS_SUFFIX:
            shutil.copyfile(entry, destination / entry.name)


def frame(run: RunFolder) -> pd.DataFrame:
    """One row a case: what it is, how it ended, times in seconds, memory in bytes, `phase_<name>_s` by phase."""
    import pandas as pd

    table = pd.DataFrame([_row(case) for case in run.cases])
    kinds = {"_s": "float64", "_bytes": "Int64"}
    return table.astype({name: kind for name in table.columns for end, kind in kinds.items() if name.endswith(end)})


def _row(record: CaseRecord) -> dict[str, Any]:
    case = record.case
    row: dict[str, Any] = {
        "number": record.number,
        "name": case.name,
        "title": case.title,
        "group": case.group,
        "outcome": record.outcome.value,
        "model": case.model_label,
        "quantization": case.quantization.value,
        "steps": case.steps_label,
        "guidance": case.guidance,
        "resolution": case.resolution_label,
        "width": case.width,
        "height": case.height,
        "frames": case.frames,
        **record.times.model_dump(),
        **record.memory.model_dump(),
    }
    row |= {f"phase_{phase.value}_s": _phase_s(record, phase) for phase in Phase}
    step_s = [step.step_s for step in record.steps]
    row["first_step_s"] = step_s[0] if step_s else None
    row["denoising_s"] = _total(row[f"phase_{phase.value}_s"] for phase in DENOISING)
    row["frames_sha256"] = record.video.frames_sha256 if record.video else None
    return row


def _phase_s(record: CaseRecord, phase: Phase) -> float | None:
    return _total(part.duration_s for part in record.phases if part.phase is phase)


def _total(values: Any) -> float | None:
    """None for no values: what was not reached is not 0."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def read_record(path: Path, run: Path, kind: type[Record]) -> Record:
    """A record within `run`, upgraded to the current schema. Raises ResultError for whatever is wrong with it."""
    _inside(path, run)
    try:
        stored = parse_record(read_regular(path, RECORD_LIMIT_BYTES))
    except FileNotFoundError:
        raise ResultError(f"{path}: not there; this is no run, or not all of one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: torn or not JSON ({error})") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ResultError(f"{path}: not a record of ltxbench (no schema_version)")
    if version > SCHEMA_VERSION:
        raise NewerSchema(
            f"{path}: written with schema {version}, this version reads up to {SCHEMA_VERSION}",
            hint="Update ltxbench.",
        )
    upgrade(stored)
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultError(f"{path}: {shown(where)}: {first['msg']} ({error.error_count()} errors)") from None


def parse_record(text: bytes) -> Any:
    """JSON whose numbers and texts every reader further on can hold. Raises ValueError, RecursionError."""
    stored = json.loads(text, parse_constant=_refuse_constant, parse_int=_int64, parse_float=_finite)
    # Half of a surrogate pair can be written as an escape, and then be printed or stored nowhere.
    json.dumps(stored, ensure_ascii=False).encode()
    return stored


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _int64(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= (number := int(digits)) < 1 << 63:
        raise ValueError(f"{shown(digits)} is too large a number")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{shown(text)} is too large a number")
    return number


def shown(text: str) -> str:
    """A stranger's text for a message: one line of at most 60 characters, without what steers a terminal."""
    return quoted(text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}...")


def _plain_name(name: str, where: Path) -> str:
    """A name that comes from a file: one path component, nothing hidden."""
    if (
        not name
        or name.startswith(".")
        or any(character in name for character in "/\\\0:")
        or not name.isprintable()
        or len(name.encode()) > MOST_NAME_BYTES
    ):
        raise ResultError(f"{where}: {shown(name)} cannot name a file of a run")
    return name


def _inside(path: Path, run: Path) -> Path:
    """`path`, which must be a file within `run` reached without a link."""
    for part in (path, *path.parents):
        if part == run:
            break
        _refuse_link(part)
    if path.name != RUN_FILE and not path.is_file():
        raise ResultError(f"{path}: not there, though this run refers to it")
    return path


def refuse_strangers(run: Path) -> None:
    """Raises ResultError for a link anywhere below `run`, through which a file would be written or read elsewhere, and
    for a pipe, a socket or a device, which may never end."""
    for path in run.rglob("*"):
        _refuse_link(path)
        if not path.is_file() and not path.is_dir():
            raise ResultError(f"{path}: is neither file nor folder; a run holds nothing else")


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise ResultError(f"{path}: is a link; a run holds only files of its own")
