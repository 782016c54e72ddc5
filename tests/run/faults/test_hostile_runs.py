"""Run folders as strangers may send them: one message, nothing read or written outside, nothing waited for."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest

from ltxbench.__main__ import main
from ltxbench.audit.records import read_audit
from ltxbench.errors import ResourceError, ResultError
from ltxbench.quality import stored as quality
from ltxbench.regression import folder as baseline
from ltxbench.regular import open_regular
from ltxbench.report import manifest, memory_series
from ltxbench.run import journal, store
from ltxbench.run.resume import read_run
from ltxbench.run.sealing import read_seal
from tests.run.faults.conftest import Bench, all_files, two_cases

ESCAPES = "\x1b[31mred\x07"
FORGED = f"{ESCAPES}\u202e\nNothing regressed: all is well"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("made"), two_cases())
    bench.run()
    return bench.folder / "disk"


@pytest.fixture
def done(bench, made):
    shutil.copytree(made, bench.folder / "disk", dirs_exist_ok=True)
    return bench


def change(file, *keys, value):
    """Sets one value; a run's record then counts, since its journal is gone."""
    content = json.loads(file.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    file.write_text(json.dumps(content))


def lose_the_journal(path):
    (path / "journal.jsonl").unlink()
    return path / "run.json"


@pytest.mark.parametrize(
    "inner", ["cases", "cases/b", "cases/b/round-1", "cases/b/round-1/record.json", "superseded", "enhance"]
)
def test_a_run_that_holds_a_link_is_not_resumed_and_nothing_is_written_through_it(done, tmp_path, inner):
    outside, place = tmp_path / "outside", done.path / inner
    if place.exists():
        place.rename(outside)
    else:
        outside.mkdir()
    place.symlink_to(outside)
    before = all_files(outside) if outside.is_dir() else outside.read_bytes()
    with pytest.raises(ResultError, match="is a link; a run holds only files of its own"):
        done.resume(repeats=2)
    assert (all_files(outside) if outside.is_dir() else outside.read_bytes()) == before


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("name", ["run.json", "cases/a/round-1/record.json"])
def test_a_pipe_in_a_records_place_is_not_waited_for(done, name):
    run = done.path
    pipe(run / name)
    with pytest.raises(ResultError, match=r"not a regular file|not there"):
        store.load(run)


@pytest.mark.parametrize(
    "name",
    [
        "cases/a/round-1/files.json",
        "cases/a/round-1/output.txt",
        "cases/a/round-1/memory.csv",
        "cases/a/quality.json",
        "audit.json",
        "more",
    ],
)
def test_a_run_that_holds_a_pipe_is_neither_resumed_nor_published(done, tmp_path, name):
    run = done.path
    pipe(run / name)
    with pytest.raises(ResultError, match=r"is neither file nor folder; a run holds nothing else"):
        done.resume(repeats=2)
    with pytest.raises(ResultError, match="is neither file nor folder"):
        store.publish(run, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("cases/a/round-1/memory.csv", lambda run, path: memory_series.read(run, run.records[0])),
        ("cases/a/quality.json", lambda run, path: quality.read(path)),
        ("audit.json", lambda run, path: read_audit(run.path)),
        ("page.json", lambda run, path: baseline.read(path)),
        (manifest.FILE, lambda run, path: manifest.read(path.parent)),
    ],
)
@pytest.mark.parametrize("put", [pipe, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
def test_what_is_no_file_is_refused_by_whoever_reads_it(done, name, read, put):
    path = done.path / name
    run = done.stored()
    path.unlink(missing_ok=True)
    put(path)
    with pytest.raises(ResultError):
        read(run, path)


def test_a_pipe_in_a_seals_place_vouches_for_nothing(tmp_path):
    pipe(tmp_path / "files.json")
    assert read_seal(tmp_path) == ()


def test_a_pipe_in_the_journals_place_is_not_waited_for(tmp_path):
    path = pipe(tmp_path / "journal.jsonl")
    assert journal.read(path).damage == ("the journal cannot be read (not a regular file)",)
    with pytest.raises(ResourceError, match="not a regular file"):
        journal.Journal(path)


def test_a_device_is_no_record(tmp_path):
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(store.Path("/dev/zero"))


def test_a_journal_past_its_cap_is_told(done, monkeypatch):
    monkeypatch.setattr(journal, "SIZE_LIMIT_BYTES", 5000)
    damage = journal.read(done.path / "journal.jsonl").damage
    assert damage[-1] == "the journal: what follows the first 5,000 bytes is not read"


def test_a_record_past_its_cap_is_refused(done, monkeypatch):
    monkeypatch.setattr(store, "RECORD_LIMIT_BYTES", 100)
    with pytest.raises(ResultError, match="more than 100 bytes"):
        store.load(done.path)


@pytest.mark.parametrize(
    ("keys", "value", "told"),
    [
        (("memory", "mlx_peak_bytes"), 2**63, "too large a number"),
        (("memory", "mlx_peak_bytes"), -(10**300), "too large a number"),
        (("memory", "footprint_source"), "\ud83d", "torn or not JSON"),
        (("times", ESCAPES), 1, r"times\.\\x1b"),
        (("case", "name"), "A" * 5000, "is not the record of case 'a'"),
    ],
)
def test_a_value_that_no_reader_can_hold_is_refused_in_a_short_plain_message(done, keys, value, told):
    change(done.path / "cases" / "a" / "round-1" / "record.json", *keys, value=value)
    with pytest.raises(ResultError, match=told) as error:
        store.load(done.path)
    assert error.value.message.isprintable()
    assert len(error.value.message) < 1000


def test_an_infinite_number_is_refused(done):
    file = done.path / "cases" / "a" / "round-1" / "record.json"
    file.write_text(file.read_text().replace('"wall_s": ', '"wall_s": 1e999, "x": '))
    with pytest.raises(ResultError, match="`1e999` is too large a number"):
        store.load(done.path)


@pytest.mark.parametrize("name", ["../b", "/b", ".b", "A" * 250, "𝕏" * 60, ESCAPES, "a\u202eb", "a\\b"])
def test_a_case_whose_name_is_no_files_name_is_refused_in_plain_letters(done, name):
    change(done.path / "run.json", "matrix", "cases", 0, "name", value=name)
    with pytest.raises(ResultError, match="cannot name a file of a run") as error:
        store.load(done.path)
    assert error.value.message.isprintable()


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("schedule", "order"), [["a", ESCAPES]]),
        (("selected",), ["a", "A" * 5000]),
        (("matrix", "cases"), []),
        (("schedule", "order_seed"), 2**62),
        (("schedule", "order_seed"), -1),
    ],
)
def test_a_plan_that_does_not_belong_to_the_matrix_is_refused(done, keys, value):
    change(lose_the_journal(done.path), *keys, value=value)
    with pytest.raises(ResultError, match="its order of cases does not belong to its matrix"):
        read_run(done.path)


def test_no_text_of_a_strangers_run_steers_the_terminal_or_forges_a_line(done, monkeypatch, capsys):
    def ltxbench(*arguments):
        monkeypatch.setattr(sys, "argv", ["ltxbench", *map(str, arguments)])
        with pytest.raises(SystemExit):
            main()
        shown = "".join(capsys.readouterr())
        assert all(line.isprintable() and not line.startswith("Nothing regressed: all") for line in shown.split("\n"))
        return shown

    mine, strange, kept = done.path, done.root / "small" / "strange", done.folder / "baseline"
    shutil.copytree(mine, strange)
    for keys in (("machine", "os"), ("machine", "git_commit"), ("weights", "kind"), ("weights", "digest"), ("id",)):
        change(lose_the_journal(strange) if keys == ("machine", "os") else strange / "run.json", *keys, value=FORGED)
    assert "red" in ltxbench("compare", mine, strange)
    ltxbench("baseline", "add", mine, "--baseline", kept, "--force")
    assert "red" in ltxbench("check", strange, "--baseline", kept, "--verdict", done.folder / "verdict.json")
    entry = next(kept.rglob("*.json"))
    for keys in (("commit",), ("cases", 0, "conditions", "chip")):
        change(entry, *keys, value=FORGED)
    assert "red" in ltxbench("baseline", "list", "--baseline", kept)
    ltxbench("history", "--baseline", kept)
    with pytest.raises(ResultError, match="red") as told:
        done.resume(which="strange", repeats=2)
    assert "weights" in told.value.message
