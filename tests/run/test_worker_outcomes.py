"""Every way in which a case can end, through the real worker and supervisor."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

from ltxbench.run.collect import Collector
from ltxbench.run.events import Finished
from ltxbench.run.interrupts import Interrupts
from ltxbench.run.output import HEAD_BYTES, TAIL_BYTES
from ltxbench.run.records import Outcome, Phase
from ltxbench.run.script import GIB, CaseScript, Failure, Fault, Level
from ltxbench.run.supervisor import Ended
from ltxbench.run.video import probe, read_frame
from ltxbench.run.worker import is_out_of_memory
from tests.run.conftest import none_left


def test_a_case_that_goes_well_has_every_phase_step_and_its_video(run_case, tmp_path):
    level = Level(active_bytes=3 * GIB, peak_bytes=5 * GIB, cache_bytes=GIB, footprint_bytes=7 * GIB)
    script = CaseScript(
        steps=(2.0, 1.0, 1.5),
        phases={Phase.LOAD: 4.0, Phase.ENCODE: 0.25, Phase.DECODE: 0.75},
        memory={Phase.DENOISE_1: level},
    )
    record = run_case(script=script)

    assert record.outcome is Outcome.OK
    assert record.failure is None
    assert [phase.phase for phase in record.phases] == ["load", "encode", "load", "denoise-1", "decode", "export"]
    assert [step.step_s for step in record.steps] == pytest.approx([2.0, 1.0, 1.5])
    assert [step.index for step in record.steps] == [0, 1, 2]
    assert record.times.generation_s == pytest.approx(0.25 + 4.5 + 0.75)
    assert record.times.load_s == pytest.approx(8.0)
    assert record.times.export_s == pytest.approx(0)
    assert 0 < record.times.wall_s < 30
    assert record.memory.mlx_mean_denoising_bytes == 3 * GIB
    assert record.memory.mlx_peak_bytes == 22 * GIB
    assert record.phases[3].mlx_peak_bytes >= 5 * GIB
    assert record.memory.samples == pytest.approx(13.5 / 0.05, abs=3)
    assert record.memory.longest_gap_s == pytest.approx(0.05, abs=0.001)
    assert record.video.file == "a.mp4"
    facts = probe(tmp_path / record.video.file)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (64, 32, 9, 24)
    assert read_frame(tmp_path / record.video.file, 8).shape == (32, 64, 3)


def test_an_exception_fails_the_case_and_keeps_its_traceback_in_the_output_only(run_case):
    record = run_case(Failure(kind=Fault.RAISE, step=2))
    assert record.outcome is Outcome.FAILED
    assert record.failure.message == "ValueError: scripted failure"
    assert record.failure.phase is Phase.DENOISE_1
    assert "Traceback" in record.failure.output_tail
    assert len(record.steps) == 2
    assert [phase.phase for phase in record.phases] == ["load", "encode", "load"]
    assert record.times.generation_s is None
    assert record.video is None


def test_a_failed_allocation_is_out_of_memory_with_its_phase(run_case):
    record = run_case(Failure(kind=Fault.OUT_OF_MEMORY, phase=Phase.DECODE))
    assert record.outcome is Outcome.OUT_OF_MEMORY
    assert record.failure.phase is Phase.DECODE
    assert "85899345920" in record.failure.message


def test_nan_makes_the_case_invalid(run_case):
    record = run_case(Failure(kind=Fault.NAN, step=1))
    assert record.outcome is Outcome.INVALID
    assert "NaN after step 1" in record.failure.message


def test_a_full_disk_is_told_in_one_message(run_case):
    record = run_case(Failure(kind=Fault.DISK_FULL))
    assert record.outcome is Outcome.FAILED
    assert "the disk is full" in record.failure.message
    assert "Traceback" not in record.failure.output_tail


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_case_keeps_what_it_had_told(run_case, number):
    script = CaseScript(steps=(1.0,), failure=Failure(kind=Fault.KILL, step=2, amount=number))
    record = run_case(script=script)
    assert record.outcome is Outcome.SIGNAL
    assert f"signal {int(number)} ({number.name}" in record.failure.message
    assert record.failure.phase is Phase.DENOISE_1
    assert len(record.steps) == 2
    assert len(record.phases) == 3
    assert record.memory.mlx_peak_bytes == 22 * GIB
    assert record.memory.samples > 10


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_without_a_result_is_a_failure_whatever_its_code(run_case, code):
    record = run_case(Failure(kind=Fault.EXIT, amount=code))
    assert record.outcome is Outcome.FAILED
    assert f"exit code {code}" in record.failure.message


def test_a_hanging_case_is_killed_at_its_limit_and_shows_where_it_hung(run_case):
    before = resource.getrusage(resource.RUSAGE_SELF)
    record = run_case(Failure(kind=Fault.HANG), limit_s=4)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert record.outcome is Outcome.TIMEOUT
    assert record.failure.phase is Phase.DENOISE_1
    assert "scripted.py" in record.failure.output_tail
    assert record.times.wall_s < 10
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_a_stopped_child_is_killed_at_its_limit(run_case):
    record = run_case(Failure(kind=Fault.KILL, amount=signal.SIGSTOP), limit_s=4)
    assert record.outcome is Outcome.TIMEOUT


def test_a_megabyte_of_output_is_cut_in_the_middle(run_case, tmp_path):
    record = run_case(Failure(kind=Fault.PRINT, amount=1 << 20))
    assert record.outcome is Outcome.OK
    output = (tmp_path / "output.txt").read_bytes()
    assert HEAD_BYTES < len(output) < HEAD_BYTES + TAIL_BYTES + 100
    assert b"bytes left out" in output
    assert output.endswith(b"scripted output ".ljust(79, b".") + b"\n")


def test_a_child_left_behind_neither_holds_the_case_up_nor_survives_it(run_case):
    record = run_case(Failure(kind=Fault.FORK))
    assert record.outcome is Outcome.OK
    assert record.times.wall_s < 20
    assert none_left()


def test_an_interrupt_reaches_the_child_of_a_process_in_the_background(run_case):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupts = Interrupts()
        interrupts.ask()
        begin = time.monotonic()
        record = run_case(script=CaseScript(pace=1.0, steps=(60.0,)), interrupts=interrupts)
        interrupts.close()
    finally:
        signal.signal(signal.SIGINT, before)
    assert record.outcome is Outcome.INTERRUPTED
    assert time.monotonic() - begin < 10


def test_an_interrupt_that_the_child_loses_is_repeated(run_case, monkeypatch):
    sent = []
    send = subprocess.Popen.send_signal

    def lossy(process, number):
        sent.append(number)
        if len(sent) > 1:
            send(process, number)

    monkeypatch.setattr(subprocess.Popen, "send_signal", lossy)
    interrupts = Interrupts()
    interrupts.ask()
    begin = time.monotonic()
    record = run_case(script=CaseScript(pace=1.0, steps=(60.0,)), interrupts=interrupts)
    interrupts.close()
    assert record.outcome is Outcome.INTERRUPTED
    assert sent == [signal.SIGINT] * len(sent)
    assert len(sent) >= 2
    assert time.monotonic() - begin < 10


def test_an_interrupt_ends_the_case_cleanly(run_case):
    interrupts = Interrupts()
    timer = threading.Timer(1.5, interrupts.ask)
    timer.start()
    script = CaseScript(pace=1.0, phases={Phase.LOAD: 0.0, Phase.ENCODE: 0.0}, steps=(60.0,))
    begin = time.monotonic()
    record = run_case(script=script, interrupts=interrupts)
    timer.join()
    interrupts.close()
    assert record.outcome is Outcome.INTERRUPTED
    assert record.failure.phase in (Phase.DENOISE_1, None)
    assert time.monotonic() - begin < 10


def test_a_second_interrupt_stops_at_once():
    interrupts = Interrupts()
    interrupts.ask()
    assert interrupts.asked
    with pytest.raises(KeyboardInterrupt):
        interrupts.ask()
    interrupts.close()


def test_an_error_in_the_listener_leaves_no_process_behind(tmp_path, case, scripted):
    from ltxbench.run.engine import GenerateJob
    from ltxbench.run.script import Script
    from ltxbench.run.supervisor import supervise
    from ltxbench.run.worker import WorkerJob
    from tests.run.conftest import NO_WEIGHTS

    job = WorkerJob(
        engine=scripted(Script(default=CaseScript(failure=Failure(kind=Fault.HANG)))),
        task=GenerateJob(case=case, prompt="", negative_prompt="", weights=NO_WEIGHTS),
        folder=tmp_path,
    )

    def listener(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervise(job, listener, output=tmp_path / "output.txt")
    assert none_left()


def test_the_worker_leaves_when_its_parent_is_gone():
    code = "import sys; from ltxbench.run import events; events.EventWriter(int(sys.argv[1]))(events.Hello()); exit(7)"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code, str(writer)], pass_fds=(writer,))
    os.close(writer)
    assert done.returncode == 1


def test_a_child_whose_parent_is_gone_imports_no_library_first():
    """These take seconds, and what is started in them would outlive the parent for as long."""
    lifeline, held = os.pipe()
    os.close(held)
    command = [sys.executable, "-X", "importtime", "-m", "ltxbench.run.child", "1", str(lifeline)]
    done = subprocess.run(command, pass_fds=(lifeline,), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    os.close(lifeline)
    assert done.returncode == 1
    assert "ltxbench.run.lifeline" in done.stderr
    assert "pydantic" not in done.stderr


def test_the_output_file_cannot_be_written(run_case, tmp_path):
    from ltxbench.errors import ResourceError

    (tmp_path / "output.txt").mkdir()
    with pytest.raises((ResourceError, IsADirectoryError)):
        run_case()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[malloc] Unable to allocate 85899345920 bytes."),
        RuntimeError("[metal::malloc] Attempting to allocate 85899345920 bytes which is greater than the maximum"),
        RuntimeError(
            "[METAL] Command buffer execution failed: Insufficient Memory "
            "(00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)."
        ),
        RuntimeError("cudaMallocAsync(&data, size, stream) failed: out of memory"),
    ],
)
def test_what_mlx_says_when_memory_runs_out_is_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[METAL] Command buffer execution failed: Caused GPU Timeout Error"),
        ValueError("[matmul] Last dimension of first input with shape (1,2) must match"),
        KeyError("out of memory"),
    ],
)
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("libc++abi: terminating: [METAL] Command buffer execution failed: Insufficient Memory", Outcome.OUT_OF_MEMORY),
        (
            "libc++abi: [METAL] Command buffer execution failed: Caused GPU Timeout Error (2:kIOGPU...)",
            Outcome.WATCHDOG,
        ),
        ("libc++abi: terminating due to uncaught exception of type std::logic_error", Outcome.SIGNAL),
    ],
)
def test_an_abort_outside_of_python_is_judged_by_what_it_printed(output, outcome):
    ended = Ended(
        returncode=-signal.SIGABRT, wall_s=1, timed_out=False, interrupted=False, garbled=None, output_tail=output
    )
    found, failure = Collector().verdict(ended)
    assert found is outcome
    assert "SIGABRT" in failure.message
    assert failure.output_tail == output


def test_what_follows_a_line_that_is_no_event_is_not_believed():
    ended = Ended(returncode=0, wall_s=1, timed_out=False, interrupted=False, garbled="{", output_tail="")
    collector = Collector()
    collector(Finished())
    assert collector.verdict(ended)[0] is Outcome.FAILED
