from __future__ import annotations

import errno
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISDIR

import pytest

from ltxbench.errors import ResourceError, ResultError
from ltxbench.matrix.case import Matrix
from ltxbench.run import store
from ltxbench.run.files import make_folder, replacing, write_atomically
from ltxbench.run.journal import Journal, SessionEnded
from ltxbench.run.records import (
    SCHEMA_VERSION,
    CaseRecord,
    Machine,
    MemoryRecord,
    Outcome,
    Phase,
    PhaseRecord,
    RunRecord,
    Times,
    VideoRecord,
    Weights,
)

MACHINE = Machine(
    chip="Apple M3 Max",
    memory_bytes=96 << 30,
    os="macOS 15.1",
    arch="arm64",
    cpu_cores=14,
    python="3.12.4",
    packages={},
)
SERIES = (
    b"time_s,phase,mlx_active_bytes,mlx_cache_bytes,mlx_peak_bytes,footprint_bytes\n0.05,load,1,2,3,\n0.1,,4,5,6,7\n"
)


def run_record(matrix: Matrix, run_id: str = "20260131T235959Z-3f9a") -> RunRecord:
    return RunRecord(
        id=run_id,
        ltxbench_version="0.1.0",
        created_utc="2026-01-31T23:59:59Z",
        matrix=matrix,
        machine=MACHINE,
        weights=Weights(kind="tiny", synthetic=True),
        command=("ltxbench", "bench", "small"),
        conditioning="A beaver. 🦫 <b>",
        selected=tuple(case.name for case in matrix.cases),
    )


def case_record(matrix: Matrix, number: int, **changes) -> CaseRecord:
    fields = {
        "case": matrix.cases[number - 1],
        "number": number,
        "outcome": Outcome.OK,
        "started_utc": "2026-01-31T23:59:59Z",
        "times": Times(generation_s=12.5, load_s=3.0, wall_s=20.0),
        "memory": MemoryRecord(mlx_peak_bytes=5 << 30),
        "phases": (
            PhaseRecord(phase=Phase.LOAD, start_s=0, duration_s=1.0),
            PhaseRecord(phase=Phase.LOAD, start_s=2, duration_s=2.0),
        ),
    }
    return CaseRecord(**{**fields, **changes})


@pytest.fixture
def run(tmp_path, matrix) -> store.RunFolder:
    """The second case ended before the first; the third has not."""
    folder = store.create(tmp_path / "runs", run_record(matrix))
    video = folder.folder_of("a", 1) / "a.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"mp4")
    stored = VideoRecord(file="a.mp4", width=64, height=32, frames=9, fps=24, size_bytes=3, frames_sha256="0" * 64)
    folder = store.write_case(folder, case_record(matrix, 2, outcome=Outcome.FAILED, times=Times()), SERIES)
    return store.write_case(folder, case_record(matrix, 1, video=stored))


def edit(path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_reads_back_as_it_was_written(run):
    loaded = store.load(run.path)
    assert loaded == run
    assert [record.number for record in loaded.cases] == [1, 2]
    assert loaded.video_path("a").read_bytes() == b"mp4"
    assert loaded.video_path("b") is None


def test_the_memory_series_keeps_what_is_absent_absent(run):
    series = run.memory_series("b")
    assert list(series["mlx_active_bytes"]) == [1, 4]
    assert series["footprint_bytes"].isna().tolist() == [True, False]
    assert series["phase"].isna().tolist() == [False, True]
    assert run.memory_series("a") is None


def test_a_torn_memory_series_is_told_as_such(run):
    path = run.folder_of("b", 1) / store.MEMORY_FILE
    path.write_bytes(b"")
    with pytest.raises(ResultError, match="memory series"):
        run.memory_series("b")
    path.write_bytes(b"time_s,phase\n0.1\xff\n")
    with pytest.raises(ResultError, match="memory series"):
        run.memory_series("b")


@pytest.mark.parametrize(
    "text",
    [
        "time_s,phase,footprint_bytes\n0.1,load,x\n",
        "time_s,phase,footprint_bytes\n0.1,load,1.5\n",
        "time_s,phase,footprint_bytes\n0.1,load,1e999\n",
        f"time_s,phase,footprint_bytes\n0.1,load,{'9' * 30}\n",
        "time_s,phase,footprint_bytes\nsoon,load,1\n",
        "time_s,phase,case\n0.1,load,1\n",
        "phase,footprint_bytes\nload,1\n",
    ],
)
def test_a_memory_series_that_is_none_is_told_as_such(run, text):
    (run.folder_of("b", 1) / store.MEMORY_FILE).write_text(text)
    with pytest.raises(ResultError, match="not a memory series"):
        run.memory_series("b")


@pytest.mark.parametrize("file", [store.RUN_FILE, "cases/a/round-1/record.json"])
def test_a_record_cut_anywhere_is_refused(run, file):
    whole = (run.path / file).read_bytes().rstrip()
    for length in range(0, len(whole), 97):
        (run.path / file).write_bytes(whole[:length])
        with pytest.raises(ResultError):
            store.load(run.path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "no schema_version"),
        (b'{"schema_version": true}', "no schema_version"),
        (b'{"schema_version": 1}', "Field required"),
        (b'{"schema_version": NaN}', "NaN"),
        (b"[" * 100_000, "torn or not JSON"),
        (b"\xff\xfe", "torn or not JSON"),
    ],
)
def test_what_is_no_record_is_refused(run, text, message):
    (run.path / store.RUN_FILE).write_bytes(text)
    with pytest.raises(ResultError, match=message):
        store.load(run.path)


def test_a_newer_schema_is_refused_with_what_to_do(run):
    edit(run.path / store.RUN_FILE, schema_version=SCHEMA_VERSION + 1, new_field=1)
    with pytest.raises(ResultError, match=f"schema {SCHEMA_VERSION + 1}") as caught:
        store.load(run.path)
    assert caught.value.hint == "Update ltxbench."


def test_an_unknown_field_is_refused(run):
    edit(run.path / "cases/a/round-1/record.json", surprise=1)
    with pytest.raises(ResultError, match="surprise"):
        store.load(run.path)


def test_a_record_in_the_folder_of_another_case_is_refused(run, matrix):
    store.write_record(run.path / "cases/a/round-1/record.json", case_record(matrix, 2))
    with pytest.raises(ResultError, match="is not the record of case 'a'"):
        store.load(run.path)


def test_a_missing_run_and_a_folder_that_is_none_are_told(tmp_path):
    with pytest.raises(ResultError, match="no such run"):
        store.load(tmp_path / "nothing")
    with pytest.raises(ResultError, match="this is no run"):
        store.load(tmp_path)


def test_a_video_that_is_gone_is_told(run):
    run.video_path("a").unlink()
    with pytest.raises(ResultError, match=r"a\.mp4: not there"):
        store.load(run.path)


@pytest.mark.parametrize("file", ["../../run.json", "/etc/passwd", "..", ".hidden", "sub/a.mp4", "a\\b", "C:a.mp4", ""])
def test_a_video_outside_of_the_case_is_refused(run, file):
    path = run.path / "cases/a/round-1/record.json"
    video = json.loads(path.read_text())["video"]
    edit(path, video={**video, "file": file})
    with pytest.raises(ResultError, match="cannot name a file"):
        store.load(run.path)


@pytest.mark.parametrize(
    "part", [store.RUN_FILE, "cases", "cases/a", "cases/a/round-1/record.json", "cases/a/round-1/a.mp4"]
)
def test_links_are_refused_wherever_they_are(run, tmp_path, part):
    elsewhere = tmp_path / "elsewhere"
    (run.path / part).rename(elsewhere)
    (run.path / part).symlink_to(elsewhere)
    with pytest.raises(ResultError, match="is a link"):
        store.load(run.path)


def test_the_latest_run_of_a_matrix_is_found_by_its_name(tmp_path, matrix):
    assert store.latest(tmp_path, "small") is None
    for run_id in ("20260102T000000Z-aaaa", "20260103T000000Z-0000", "20260101T000000Z-ffff"):
        store.create(tmp_path, run_record(matrix, run_id))
    (tmp_path / "small" / "20270101T000000Z-0000").mkdir()
    assert store.latest(tmp_path, "small").name == "20260103T000000Z-0000"


def test_run_ids_sort_by_time_and_differ():
    now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    first, second = store.new_run_id(now), store.new_run_id(now)
    assert first.startswith("20260131T235959Z-")
    assert first != second or store.new_run_id(now) != first


def test_a_published_run_is_the_same_bytes_and_replaces_the_old_one(run, tmp_path):
    destination = tmp_path / "reports" / "small" / "run"
    store.publish(run.path, destination)
    (destination / "left-over.txt").write_text("old")
    store.publish(run.path, destination)
    files = {path.relative_to(run.path): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    copied = {path.relative_to(destination): path.read_bytes() for path in destination.rglob("*") if path.is_file()}
    assert copied == files
    assert [path.name for path in destination.parent.iterdir()] == ["run"]
    assert store.load(destination).cases == run.cases


def test_publishing_a_run_onto_itself_changes_nothing(run):
    store.publish(run.path, run.path)
    assert store.load(run.path) == run


def test_a_publication_that_fails_leaves_the_old_one(run, tmp_path):
    destination = tmp_path / "reports" / "run"
    store.publish(run.path, destination)
    (run.path / "cases/a/extra").symlink_to("/etc/passwd")
    with pytest.raises(ResultError, match="is a link"):
        store.publish(run.path, destination)
    assert len(store.load(destination).cases) == 2
    assert [path.name for path in destination.parent.iterdir()] == ["run"]


def test_the_frame_has_one_row_a_case_and_missing_figures_are_missing(run):
    frame = store.frame(run)
    assert list(frame["name"]) == ["a", "b"]
    assert frame["generation_s"].isna().tolist() == [False, True]
    assert frame["phase_load_s"].tolist() == [3.0, 3.0]
    assert frame["phase_decode_s"].isna().all()
    assert frame["mlx_peak_bytes"].tolist() == [5 << 30] * 2
    assert frame["footprint_peak_bytes"].isna().all()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(bytes(1 // 0))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_a_full_disk_is_a_resource_error_and_leaves_nothing(tmp_path, small_files):
    with pytest.raises(ResourceError, match="the disk is full"):
        write_atomically(tmp_path / "record.json", bytes(100 << 10))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_a_resource_error(tmp_path, matrix):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be written"):
        store.create(tmp_path / "runs", run_record(matrix))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_resource_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match=os.strerror(errno.EACCES)):
        write_atomically(tmp_path / "record.json", b"")
    tmp_path.chmod(0o700)


def test_a_matrix_name_that_leads_elsewhere_is_refused(tmp_path, matrix):
    with pytest.raises(ResultError, match="cannot name"):
        store.create(tmp_path, run_record(matrix.model_copy(update={"name": "../up"})))


def test_a_folder_that_the_system_refuses_for_any_reason_is_a_resource_error(tmp_path):
    with pytest.raises(ResourceError, match="cannot be written"):
        make_folder(tmp_path / ("n" * 300))


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_folder_after(tmp_path, monkeypatch):
    order = []
    rename = Path.replace
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    monkeypatch.setattr(os, "fsync", lambda fd: order.append("folder" if S_ISDIR(os.fstat(fd).st_mode) else "file"))
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("name"), rename(path, to)))
    write_atomically(tmp_path / "a", b"x")
    assert order == ["file", "name", "folder"]


def test_an_entry_of_the_journal_is_on_the_disk_when_it_is_appended(tmp_path, monkeypatch):
    synced = []
    with Journal(tmp_path / "journal.jsonl") as journal:
        monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
        monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
        journal.append(SessionEnded(how="finished"))
    assert synced == [(tmp_path / "journal.jsonl").stat().st_size]
