"""Whatever becomes of a case's process: the others are kept, and a resumed run makes up for it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from ltxbench.run.limits import PhaseLimits
from ltxbench.run.output import HEAD_BYTES, TAIL_BYTES
from ltxbench.run.records import Outcome, Phase
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from tests.run.conftest import none_left
from tests.run.faults.conftest import finished, outcomes

PRINTED_BYTES = int(os.environ.get("LTXBENCH_PRINTED_BYTES", str(64 << 20)))


def broken(kind: Fault, **more) -> Script:
    return Script(cases={"b": CaseScript(failure=Failure(kind=kind, **more))})


@pytest.mark.parametrize(
    ("script", "outcome", "told"),
    [
        (broken(Fault.KILL), Outcome.SIGNAL, "signal 9"),
        (broken(Fault.RAISE), Outcome.FAILED, "scripted failure"),
        (broken(Fault.EXIT, amount=0), Outcome.FAILED, "exit code 0"),
        (broken(Fault.NAN, step=1), Outcome.INVALID, "step 1"),
        (broken(Fault.BLACK), Outcome.INVALID, "are black, from frame 0"),
        (broken(Fault.WATCHDOG), Outcome.WATCHDOG, "work on the GPU that took too long"),
        pytest.param(
            broken(Fault.ALLOCATE),
            Outcome.OUT_OF_MEMORY,
            "llocate",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's"),
        ),
    ],
    ids=lambda value: value.cases["b"].failure.kind.value if isinstance(value, Script) else "",
)
def test_a_case_that_dies_is_told_and_run_again_by_resume(bench, script, outcome, told):
    run = bench.run(script)
    assert outcomes(run) == {"a/1": "ok", "b/1": outcome.value}
    failed = run.records[1]
    assert told in failed.failure.message
    if outcome is not Outcome.INVALID:
        assert failed.failure.phase is Phase.DENOISE_1
    kept = finished(run.path)

    resumed = bench.resume()
    assert outcomes(resumed) == {"a/1": "ok", "b/1": "ok"}
    assert bench.listener.started == [("b", 1)]
    assert kept.items() <= finished(run.path).items()
    assert resumed.record.id == run.record.id
    assert resumed.records[1].attempt == 2
    assert (run.path / "superseded" / "b" / "round-1-1" / "record.json").exists()
    assert len(resumed.record.resumptions) == 1


@pytest.mark.parametrize("fault", [Failure(kind=Fault.HANG), Failure(kind=Fault.KILL, amount=signal.SIGSTOP)])
def test_a_hanging_or_stopped_child_is_ended_by_its_deadline(bench, fault):
    limits = PhaseLimits(named_s={Phase.DENOISE_1: 0.5})
    run = bench.run(Script(cases={"b": CaseScript(failure=fault)}), phase_limits=limits)
    assert outcomes(run) == {"a/1": "ok", "b/1": "timeout"}
    assert "the time limit of denoise-1, 0.5 s" in run.records[1].failure.message
    assert none_left()
    assert outcomes(bench.resume()) == {"a/1": "ok", "b/1": "ok"}


def test_a_child_that_prints_a_great_deal_fills_neither_disk_nor_memory(bench):
    run = bench.run(broken(Fault.PRINT, amount=PRINTED_BYTES))
    assert outcomes(run) == {"a/1": "ok", "b/1": "ok"}
    output = run.round_folder(run.records[1]) / "output.txt"
    assert output.stat().st_size < HEAD_BYTES + TAIL_BYTES + 100


def test_a_child_that_forks_leaves_no_process_behind(bench):
    run = bench.run(broken(Fault.FORK))
    assert outcomes(run) == {"a/1": "ok", "b/1": "ok"}
    assert none_left()


def test_an_outcome_that_a_repeat_would_not_change_is_not_repeated(bench):
    run = bench.run(broken(Fault.OUT_OF_MEMORY), repeats=2, check=True)
    assert outcomes(run) == {
        "a/0": "ok",
        "a/1": "ok",
        "a/2": "ok",
        "b/0": "skipped",
        "b/1": "out of memory",
        "b/2": "skipped",
    }
    assert "round 1 of this case ended with: out of memory" in run.records[-1].failure.message
    assert outcomes(bench.resume()) == dict.fromkeys(("a/0", "a/1", "a/2", "b/0", "b/1", "b/2"), "ok")
