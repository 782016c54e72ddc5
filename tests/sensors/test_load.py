from __future__ import annotations

import subprocess
import sys
import time

from ltxbench.sensors.load import HEAVY_CORES, own_processes, read_load

SPIN = "while True: pass"


def test_what_this_program_and_its_children_do_is_not_others_work(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        own = read_load(0.4)
        monkeypatch.setattr("ltxbench.sensors.load._own_s", lambda: 0.0)
        all_together = read_load(0.4)
    finally:
        child.kill()
        child.wait()
    assert all_together.others - own.others > 0.2 or all_together.others > 0.9 * all_together.cores
    assert not any("python" in name for name in own.heavy if own.others < HEAVY_CORES)


def test_another_process_is_named(monkeypatch):
    spin = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        monkeypatch.setattr("ltxbench.sensors.load.own_processes", lambda: frozenset())
        # On a busy machine it takes a while until the process has started and gets its share.
        until_s = time.monotonic() + 60
        load = read_load(0.4)
        while not any("python" in name for name in load.heavy):
            assert spin.poll() is None
            assert time.monotonic() < until_s, load
            load = read_load(0.4)
    finally:
        spin.kill()
        spin.wait()


def test_an_idle_process_of_the_same_name_hides_none(monkeypatch):
    seconds = iter([{(7, "python"): 1.0, (9, "python"): 5.0, (3, "Xorg"): 0.0}, {}])
    later = {(7, "python"): 2.0, (9, "python"): 5.0, (3, "Xorg"): 9.0}
    monkeypatch.setattr("ltxbench.sensors.load._each_s", lambda: next(seconds) or later)
    assert read_load(0.01).heavy == ("Xorg", "python")


def test_children_are_this_program_s_own():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in own_processes()
    finally:
        child.communicate(b"\n")
