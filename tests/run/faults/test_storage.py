"""Full disks, folders that cannot be written, power cuts, links: nothing finished is lost, nothing torn is trusted."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ltxbench.errors import Busy, ResourceError, ResultError
from ltxbench.run import journal as journals
from ltxbench.run import store
from ltxbench.run.listener import Listener
from ltxbench.run.lock import machine_lock
from ltxbench.run.order import planned
from ltxbench.run.resume import examine_run, read_run
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from ltxbench.run.supervisor import supervise
from ltxbench.run.worker import WorkerJob
from tests.run.faults.conftest import Bench, all_files, finished, outcomes, two_cases

EVERY = int(os.environ.get("LTXBENCH_CUT_EVERY", "0"))
"""Bytes between two places where a file is cut off; 1 in the long run, 0 for a sample of each file."""
SAMPLED = 9


def trusted(path: Path) -> dict[tuple[str, int], object]:
    """The rounds that a resumed run would keep."""
    record, journal = read_run(path)
    return {(kept.case.name, kept.round): kept for kept in examine_run(path, record, journal).complete}


@pytest.fixture(scope="module")
def finished_disk(tmp_path_factory):
    """A run of two rounds, made once; every test gets a copy."""
    bench = Bench(tmp_path_factory.mktemp("finished"), two_cases())
    bench.run(repeats=2)
    return bench.folder / "disk"


@pytest.fixture
def done(bench, finished_disk):
    shutil.copytree(finished_disk, bench.folder / "disk", dirs_exist_ok=True)
    return bench


def places(size: int) -> list[int]:
    """The ends and, in between, every EVERYth byte, or some that are others with every run of the tests."""
    if EVERY:
        return sorted({*range(0, size, EVERY), size - 1} - {-1})
    within = random.sample(range(size), min(SAMPLED, size))
    return sorted({0, *within, size - 2, size - 1} - {-1, -2})


def test_a_run_cut_off_at_any_byte_of_any_file_keeps_the_rest_and_trusts_nothing_torn(done):
    path = done.path
    whole = all_files(path)
    everything = trusted(path)
    assert set(everything) == set(planned(read_run(path)[0].schedule))
    for name, data in whole.items():
        file = path / name
        own = next((key for key in everything if f"cases/{key[0]}/round-{key[1]}/" in name), None)
        vouched = name.endswith("files.json") or own is None  # the journal says the same, and the other way round
        for size in places(len(data)) if data else ():  # nothing can be cut off an empty file
            os.truncate(file, size)
            kept = trusted(path)
            expected = everything if vouched else {key: value for key, value in everything.items() if key != own}
            assert kept == expected, f"{name} cut off at {size}"
            file.write_bytes(data)


def test_with_the_journal_gone_the_rounds_vouch_for_themselves(done):
    path = done.path
    everything = trusted(path)
    (path / "journal.jsonl").unlink()
    assert trusted(path) == everything
    (path / "cases" / "a" / "round-1" / "files.json").unlink()
    assert ("a", 1) not in trusted(path)


def test_with_the_journal_and_the_run_record_torn_there_is_one_message(done):
    path = done.path
    os.truncate(path / "journal.jsonl", 30)
    os.truncate(path / "run.json", 30)
    with pytest.raises(ResultError, match=r"run\.json: torn"):
        done.resume()


def test_a_torn_run_record_is_written_again_from_the_journal(done):
    path = done.path
    data = (path / "run.json").read_bytes()
    os.truncate(path / "run.json", 100)
    run = done.resume()
    assert (path / "run.json").read_bytes() == data
    assert store.load(path) == run


@pytest.mark.parametrize("name", ["record.json", "a.mp4", "a.mkv", "memory.csv", "output.txt"])
def test_an_altered_byte_in_any_file_of_a_round_is_noticed(done, name):
    file = done.path / "cases" / "a" / "round-1" / name
    data = bytearray(file.read_bytes() or b"x")
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert ("a", 1) not in trusted(done.path)


def test_after_a_power_cut_resume_makes_the_run_whole_and_rewrites_nothing_else(done):
    path = done.path
    kept = {name: found for name, found in finished(path).items() if "a/round-1/" not in name}
    os.truncate(path / "cases" / "a" / "round-1" / "a.mp4", 50)
    os.truncate(path / "journal.jsonl", (path / "journal.jsonl").stat().st_size - 20)
    run = done.resume()
    assert set(outcomes(run).values()) == {"ok"}
    assert done.listener.started == [("a", 1)]
    assert any("a.mp4 is not as it was written" in note for note in done.listener.notes)
    assert any("the last line is torn" in note for note in done.listener.notes)
    assert run.record.resumptions[0].kept == 3
    assert kept.items() <= finished(path).items()
    assert run.video_path("a").stat().st_size > 50


def test_where_nothing_is_left_to_do_nothing_is_written(done):
    before = all_files(done.path)
    assert set(outcomes(done.resume()).values()) == {"ok"}
    assert all_files(done.path) == before
    assert done.listener.notes == ["nothing is left to do: every round is complete and verified"]


def test_a_record_of_another_case_in_a_rounds_place_is_not_trusted(done):
    cases = done.path / "cases"
    shutil.rmtree(cases / "a" / "round-2")
    shutil.copytree(cases / "a" / "round-1", cases / "a" / "round-2")
    assert ("a", 2) not in trusted(done.path)


def test_a_record_that_other_code_made_is_not_trusted(done):
    record, journal = read_run(done.path)
    other = record.model_copy(update={"code_sha256": "0" * 64})
    remains = examine_run(done.path, other, journal)
    assert remains.complete == ()
    assert all("was made from another case, code or weights" in note for note in remains.notes)
    assert len(remains.notes) == 4


def test_a_link_out_of_the_run_is_not_followed(done, tmp_path):
    file = done.path / "cases" / "a" / "round-1" / "a.mp4"
    file.rename(tmp_path / "elsewhere.mp4")
    file.symlink_to(tmp_path / "elsewhere.mp4")
    with pytest.raises(ResultError, match="is a link"):
        trusted(done.path)


def test_a_full_disk_keeps_what_was_finished_and_resume_does_the_rest(bench):
    """A filesystem of its own that is filled while the second case runs, and emptied before the run goes on."""
    disk = bench.folder / "disk"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount a filesystem here")
    try:
        ballast = disk / "ballast"

        class Fill(Listener):
            def case_started(self, case, round_number):
                if case.name == "b":
                    free = shutil.disk_usage(disk).free
                    ballast.write_bytes(b"\0" * (free - (16 << 10)))

        from ltxbench.run import space
        from ltxbench.run.options import Options
        from ltxbench.run.runner import run_matrix

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(space, "SPARE_BYTES", 0)
            patch.setattr(space, "ROUND_BYTES", 0)
            with pytest.raises(ResourceError, match="the disk is full"):
                run_matrix(bench.work(None), Options(), Fill())
            kept = finished(bench.path)
            assert any(name.startswith("cases/a/round-1/") for name in kept)
            ballast.unlink()
            assert outcomes(bench.resume()) == {"a/1": "ok", "b/1": "ok"}
        assert kept.items() <= finished(bench.path).items()
        assert journals.deaths(read_run(bench.path)[1].entries) == {}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_file_that_may_not_grow_is_told_like_a_full_disk_and_resume_does_the_rest(bench):
    run = None
    with pytest.raises(ResourceError, match="the disk is full"):
        run = bench.run(Script(cases={"b": CaseScript(failure=Failure(kind=Fault.DISK_FULL))}))
    assert run is None
    kept = finished(bench.path)
    assert outcomes(bench.resume()) == {"a/1": "ok", "b/1": "ok"}
    assert kept.items() <= finished(bench.path).items()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.EMFILE])
def test_a_disk_that_fails_or_goes_away_is_one_message_and_resume_does_the_rest(bench, monkeypatch, number):
    write, broken = os.write, []

    def fail(descriptor, data):
        if b'"began","case":"b"' in bytes(data) and not broken:
            broken.append(descriptor)
            raise OSError(number, os.strerror(number))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(ResourceError, match=os.strerror(number)):
        bench.run()
    kept = finished(bench.path)
    assert kept
    assert outcomes(bench.resume()) == {"a/1": "ok", "b/1": "ok"}
    assert kept.items() <= finished(bench.path).items()


def test_where_no_more_pipes_can_be_opened_there_is_one_message(bench):
    def refuse():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    work = bench.work(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ltxbench.run.pipes.os.pipe", refuse)
        with pytest.raises(ResourceError, match="no process can be started"):
            supervise(WorkerJob(engine=work.engine, folder=bench.folder), print, output=bench.folder / "output.txt")


def test_a_folder_that_cannot_be_written_is_one_message(bench):
    disk = bench.folder / "disk"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount a filesystem here")
    try:
        with pytest.raises(ResourceError, match="cannot be written"):
            bench.run()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_of_two_runners_the_second_is_told_who_holds_the_machine(tmp_path):
    with (
        machine_lock("matrix first", path=tmp_path / "lock"),
        pytest.raises(Busy, match=f"process {os.getpid()}, matrix first"),
        machine_lock("matrix second", path=tmp_path / "lock"),
    ):
        pass
