"""The same faults with the MLX pipeline on tiny weights, through the command line as it is used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ltxbench.run import store
from tests.run.conftest import end, none_left, workers
from tests.run.faults.conftest import finished, outcomes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny")]

MATRIX = """
matrix: pair
title: A pair
prompt: A beaver
defaults: {frames: 9, size: 128x96, model: distilled}
cases:
  - {name: a, title: A}
  - {name: b, title: B, SECOND}
"""
SMALL, LARGE = "seed: 7", "size: 768x512, frames: 33"
"""A second case that takes seconds, and one that takes minutes and the memory for it."""
GROUPS = Path("/sys/fs/cgroup/memory")


class Tiny:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, second: str, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        (self.folder / "pair.yaml").write_text(MATRIX.replace("SECOND", second))
        command = [sys.executable, "-m", "ltxbench", "bench", "./pair.yaml", "--no-report", "--force", *more]
        process = subprocess.Popen(
            [*before, *command], cwd=self.folder, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.started.append(process)
        return process

    @property
    def path(self) -> Path:
        path = store.latest(self.folder / "runs", "pair")
        assert path is not None
        return path

    def denoising(self, process: subprocess.Popen[str]) -> int:
        """Waits until the second case is in its loop, and returns its worker."""
        assert process.stderr is not None
        for line in process.stderr:
            if "b started" in line:
                break
        else:
            raise AssertionError("the second case never started")
        deadline = time.monotonic() + 300
        while not (found := workers()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while psutil.Process(found[0]).cpu_times().user < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found[0]

    def resume(self, kept: dict[str, tuple[bytes, int]], second: str) -> None:
        """Makes up for the rest, on the same matrix, and leaves what was kept alone."""
        process = self.start(second, "--resume", *(("--rerun-changed",) if second == SMALL else ()))
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert outcomes(store.load(self.path)) == {"a/1": "ok", "b/1": "ok"}
        assert kept
        assert kept.items() <= finished(self.path).items()


@pytest.fixture
def bench(tmp_path) -> Iterator[Tiny]:
    bench = Tiny(tmp_path)
    yield bench
    for process in bench.started:
        end(process)


@pytest.mark.parametrize("killed", ["child", "parent", "both"])
def test_kill_9_keeps_the_finished_case_and_resume_runs_the_other(bench, killed):
    process = bench.start(LARGE)
    worker = bench.denoising(process)
    if killed != "child":
        process.kill()
    if killed != "parent":
        os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert none_left()
    found = outcomes(store.load(bench.path))
    assert found == ({"a/1": "ok", "b/1": "signal"} if killed == "child" else {"a/1": "ok"})
    bench.resume(finished(bench.path), SMALL)


def test_a_stopped_case_is_ended_by_its_deadline_and_resume_runs_it_again(bench):
    process = bench.start(LARGE, "--phase-limit", "denoise-1=8")
    os.kill(bench.denoising(process), signal.SIGSTOP)
    process.communicate(timeout=120)
    assert process.returncode == 6
    assert outcomes(store.load(bench.path)) == {"a/1": "ok", "b/1": "timeout"}
    assert none_left()
    bench.resume(finished(bench.path), SMALL)


def test_ctrl_c_ends_the_case_and_resume_runs_it_again(bench):
    process = bench.start(LARGE)
    bench.denoising(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert outcomes(store.load(bench.path)) == {"a/1": "ok", "b/1": "interrupted"}
    bench.resume(finished(bench.path), SMALL)


def test_a_case_that_the_kernel_ends_for_lack_of_memory_is_told_so_and_run_again_by_resume(bench):
    """Under a real limit: a control group of version 1 around the worker, which takes more than that."""
    group = GROUPS / f"ltxbench-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(512 << 20))
    except OSError:
        pytest.skip("may not make a control group here")
    try:
        enter = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        process = bench.start(LARGE, "--no-memory-check", before=("sh", "-c", enter, "sh"))
        process.communicate(timeout=300)
        run = store.load(bench.path)
        assert outcomes(run) == {"a/1": "ok", "b/1": "out of memory"}
        assert process.returncode == 6
        assert "no memory left" in run.records[1].failure.message
    finally:
        group.rmdir()
    bench.resume(finished(bench.path), SMALL)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS enforces no limit on the address space")
def test_a_case_whose_allocation_fails_is_told_so_with_its_phase_and_run_again_by_resume(bench):
    limited = ("sh", "-c", 'ulimit -v 1500000; exec "$@"', "sh")
    process = bench.start(LARGE, "--no-memory-check", before=limited)
    _, errors = process.communicate(timeout=300)
    run = store.load(bench.path)
    assert outcomes(run) == {"a/1": "ok", "b/1": "out of memory"}, errors
    assert process.returncode == 6
    assert run.records[1].failure.phase is not None
    bench.resume(finished(bench.path), SMALL)
