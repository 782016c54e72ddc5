"""The kernel's count of processes that it ended for lack of memory, as recorded on hosts of both kinds."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from ltxbench.run import supervisor
from ltxbench.run.oom_kills import oom_kills
from ltxbench.run.outcomes import explain
from ltxbench.run.records import Outcome
from ltxbench.run.script import Failure, Fault
from ltxbench.run.supervisor import Ended

VERSION_2 = "0::/user.slice/user-1000.slice/session-3.scope\n"
EVENTS = "low 0\nhigh 0\nmax 1183\noom 2\noom_kill 2\noom_group_kill 0\n"
VERSION_1 = "9:name=systemd:/\n4:cpu,cpuacct:/a\n3:memory:/docker/3f9a\n0::/\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"
VMSTAT = "pgfault 123\noom_kill 7\nnuma_hit 1\n"
KILLED = Ended(returncode=-signal.SIGKILL, wall_s=1.0, timed_out=False, interrupted=False, garbled=None, output_tail="")


@pytest.mark.parametrize(
    ("groups", "file", "content", "count"),
    [
        (VERSION_2, "cgroup/user.slice/user-1000.slice/session-3.scope/memory.events", EVENTS, 2),
        ("0::/\n", "cgroup/memory.events", EVENTS, 2),
        (VERSION_1, "cgroup/memory/docker/3f9a/memory.oom_control", CONTROL, 5),
        ("0::/\n", "proc/vmstat", VMSTAT, 7),
        ("0::/\n", "proc/vmstat", "pgfault 123\n", None),
        (VERSION_2, "cgroup/user.slice/user-1000.slice/session-3.scope/memory.events", "oom_kill x\n", None),
        ("no such line\n0:\n", "elsewhere", EVENTS, None),
    ],
)
def test_the_counter_is_that_of_the_own_group_or_else_of_the_machine(tmp_path, groups, file, content, count):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(groups)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    assert oom_kills(tmp_path / "proc", tmp_path / "cgroup") == count


def test_a_system_without_groups_counts_nothing(tmp_path):
    assert oom_kills(tmp_path, tmp_path) is None


def test_a_kill_counts_as_out_of_memory_only_where_the_counter_grew():
    assert explain(KILLED)[0] is Outcome.SIGNAL
    outcome, message = explain(replace(KILLED, oom_killed=True))
    assert outcome is Outcome.OUT_OF_MEMORY
    assert "no memory left" in message
    assert explain(replace(KILLED, returncode=-signal.SIGSEGV, oom_killed=True))[0] is Outcome.SIGNAL


def test_a_crash_under_a_limit_of_memory_is_what_mlx_makes_of_a_failed_allocation():
    crashed = replace(KILLED, returncode=-signal.SIGSEGV)
    assert explain(crashed)[0] is Outcome.SIGNAL
    outcome, message = explain(replace(crashed, allowed_bytes=3 << 29))
    assert outcome is Outcome.OUT_OF_MEMORY
    assert "an allocation fails); its process was allowed 1.5 GiB of memory" in message


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [((3, 4), Outcome.OUT_OF_MEMORY), ((3, 3), Outcome.SIGNAL), ((None, None), Outcome.SIGNAL)],
)
def test_the_counter_is_read_around_the_case(run_case, monkeypatch, counts, outcome):
    answers = iter(counts)
    monkeypatch.setattr(supervisor, "oom_kills", lambda: next(answers))
    assert run_case(Failure(kind=Fault.KILL)).outcome is outcome
