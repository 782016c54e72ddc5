"""The parent killed, stopped, interrupted, alone or with its child; the machine gone."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from ltxbench.errors import UsageError
from ltxbench.run import journal as journals
from ltxbench.run.records import Outcome, Phase
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from tests.run.conftest import none_left, workers
from tests.run.faults.conftest import SLOW, finished, outcomes, wait_for

STUCK = Script(cases={"b": SLOW})
ENTERED = ("b 1", "phase-started", "phase-started", "phase-started", "phase-started")


@pytest.mark.parametrize("child_too", [False, True])
def test_after_kill_9_of_the_parent_the_finished_case_is_kept_and_the_other_run(bench, child_too):
    process = bench.start(STUCK)
    wait_for(process, *ENTERED)
    children = workers()
    process.kill()
    if child_too:
        for child in children:
            os.kill(child, signal.SIGKILL)
    process.communicate()
    assert none_left(), "the child outlives its parent"
    kept = finished(bench.path)
    assert len(kept) >= 4
    run = bench.resume()
    assert outcomes(run) == {"a/1": "ok", "b/1": "ok"}
    assert bench.listener.started == [("b", 1)]
    assert kept == {name: found for name, found in finished(bench.path).items() if name.startswith("cases/a")}


def test_a_stopped_child_does_not_outlive_its_parent_either(bench):
    process = bench.start(Script(default=CaseScript(failure=Failure(kind=Fault.KILL, amount=signal.SIGSTOP))))
    wait_for(process, "a 1", "phase-started", "phase-started", "phase-started", "phase-started")
    deadline = time.monotonic() + 10
    while not any(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in workers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert none_left()


def test_one_interrupt_ends_the_case_and_two_stop_at_once_and_neither_counts_as_a_death(bench):
    for signals in (1, 2, 2):
        process = bench.start(STUCK, "run" if signals == 1 else "resume")
        wait_for(process, *ENTERED)
        process.send_signal(signal.SIGINT)
        if signals == 2:
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        # The second may come when the run has just ended.
        assert process.returncode in (0, 130, -signal.SIGINT), errors
    entries = journals.read(bench.path / "journal.jsonl").entries
    assert journals.deaths(entries) == {}
    run = bench.resume()
    assert outcomes(run) == {"a/1": "ok", "b/1": "ok"}
    assert len(run.record.resumptions) == 3


@pytest.mark.usefixtures("hang_up")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_hangs_up_ends_the_run_as_ctrl_c_does(bench, number):
    process = bench.start(STUCK)
    wait_for(process, *ENTERED)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert outcomes(bench.stored()) == {"a/1": "ok", "b/1": "interrupted"}


def test_a_run_under_nohup_goes_on_when_the_terminal_hangs_up(bench):
    process = bench.start(STUCK, before=("sh", "-c", 'trap "" HUP; exec "$@"', "sh"))
    wait_for(process, *ENTERED)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert outcomes(bench.stored()) == {"a/1": "ok", "b/1": "interrupted"}


def die(bench, times: int) -> None:
    """The machine goes down while b runs."""
    for _ in range(times):
        process = bench.start(STUCK, "resume" if bench.root.exists() else "run", "force")
        wait_for(process, *ENTERED)
        process.kill()
        process.communicate()
        assert none_left()


def test_a_case_that_killed_the_machine_twice_is_not_tried_again_without_force(bench):
    die(bench, 2)
    run = bench.resume()
    assert outcomes(run) == {"a/1": "ok", "b/1": "skipped"}
    assert "2 times while this case ran" in run.records[1].failure.message
    assert bench.listener.started == []
    forced = bench.resume(force=True)
    assert outcomes(forced) == {"a/1": "ok", "b/1": "ok"}
    assert forced.records[1].attempt == 3


def test_a_case_that_killed_the_machine_once_is_tried_again(bench):
    die(bench, 1)
    assert outcomes(bench.resume()) == {"a/1": "ok", "b/1": "ok"}


def test_the_parent_takes_less_than_a_hundredth_of_a_core(bench):
    process = bench.start(Script(cases={"b": SLOW}))
    wait_for(process, *ENTERED)
    parent = psutil.Process(process.pid)
    before, begin_s = parent.cpu_times(), time.monotonic()
    time.sleep(4)
    after, wall_s = parent.cpu_times(), time.monotonic() - begin_s
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    cpu_s = after.user + after.system - before.user - before.system
    assert cpu_s / wall_s < 0.01


def test_a_jump_of_the_clock_changes_neither_times_nor_deadlines(bench, monkeypatch):
    real, jumps = time.time, iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: real() + (-1) ** next(jumps) * 3e8)
    script = Script(cases={"b": CaseScript(failure=Failure(kind=Fault.HANG))})
    begin_s = time.monotonic()
    run = bench.run(script, case_limit_s=6)
    assert outcomes(run) == {"a/1": "ok", "b/1": "timeout"}
    assert 6 <= run.records[1].times.wall_s < 12
    assert 0 < run.records[0].times.wall_s < time.monotonic() - begin_s


def test_fewer_rounds_than_there_are_cannot_be_asked_of_a_resumed_run(bench):
    bench.run(repeats=2)
    with pytest.raises(UsageError, match="has 2 rounds"):
        bench.resume(repeats=1)


def test_a_run_can_be_given_more_rounds_and_a_check(bench):
    run = bench.run()
    kept = finished(run.path)
    longer = bench.resume(repeats=2, check=True)
    assert set(outcomes(longer)) == {"a/0", "a/1", "a/2", "b/0", "b/1", "b/2"}
    assert set(outcomes(longer).values()) == {Outcome.OK.value}
    assert kept.items() <= finished(run.path).items()
    assert longer.record.schedule.repeats == 2
    assert longer.check_of("a").steps == ()
    assert Phase.DENOISE_1 in {phase.phase for phase in longer.check_of("a").phases}
