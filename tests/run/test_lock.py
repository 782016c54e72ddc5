from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from ltxbench.errors import Busy, ResourceError
from ltxbench.run.lock import machine_lock

HOLD = """
import sys, time
from pathlib import Path
from ltxbench.run.lock import machine_lock
with machine_lock("matrix first", path=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "benchmark.lock"


@pytest.fixture
def hold(path):
    holders = []

    def start(seconds: float) -> subprocess.Popen[str]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        holders.append(holder)
        assert holder.stdout.readline() == "held\n"
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_the_second_is_told_who_holds_the_machine(path, hold):
    holder = hold(60)
    with pytest.raises(Busy, match=rf"process {holder.pid}, matrix first"), machine_lock("second", path=path):
        pytest.fail("two at once")


def test_a_holder_that_was_killed_holds_nothing(path, hold):
    holder = hold(60)
    holder.kill()
    holder.wait()
    with machine_lock("second", path=path):
        assert str(os.getpid()) in path.read_text()
    assert path.exists()


def test_waiting_tells_for_whom_and_goes_on_when_it_is_free(path, hold):
    holder = hold(60)
    threading.Timer(0.2, holder.kill).start()
    waited_for: list[str] = []
    with machine_lock("second", wait=True, on_wait=waited_for.append, path=path):
        assert waited_for == [f"process {holder.pid}, matrix first"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"pid": Infinity, "purpose": "x"}', "its process is unknown"),
        ("[" * 4096, "its process is unknown"),
        ('{"pid": 7, "purpose": "a\\u001b[31mb\\u202e"}', r"process 7, a\x1b[31mb\u202e"),
    ],
)
def test_whatever_is_written_in_a_held_lock_the_second_gets_one_message_that_steers_no_terminal(path, text, told):
    with machine_lock("first", path=path):
        path.write_text(text)
        with pytest.raises(Busy) as caught, machine_lock("second", path=path):
            pytest.fail("two at once")
    assert caught.value.message == f"another benchmark is running on this machine: {told}"


def test_it_can_be_taken_again_and_an_unreadable_file_does_no_harm(path):
    for text in (b"", b"\xff{", b"[]"):
        with machine_lock("first", path=path), pytest.raises(Busy), machine_lock("second", path=path):
            pass
        path.write_bytes(text)


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path.with_name("precious"))])
def test_what_is_no_file_in_the_locks_place_is_refused_and_left_alone(path, put):
    path.parent.mkdir()
    path.with_name("precious").write_text("kept")
    put(path)
    with pytest.raises(ResourceError, match="cannot be written"), machine_lock("first", path=path):
        pytest.fail("held")
    assert path.with_name("precious").read_text() == "kept"
