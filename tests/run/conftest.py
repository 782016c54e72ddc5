"""A small matrix, a scripted engine, and runs made from them through the real worker."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ltxbench.matrix.case import Case, Matrix, Quantization
from ltxbench.run.collect import Collector
from ltxbench.run.engine import GenerateJob
from ltxbench.run.records import CaseRecord
from ltxbench.run.script import CaseScript, Failure, Script
from ltxbench.run.supervisor import supervise
from ltxbench.run.worker import WorkerJob
from ltxbench.weights.files import WeightFiles

NO_WEIGHTS = WeightFiles(
    kind="none", synthetic=True, distilled=None, dev=None, distilled_lora=None, upscaler=None, gemma=None
)


@pytest.fixture
def case() -> Case:
    return Case(name="a", title="A", steps=3, width=64, height=32, frames=9)


@pytest.fixture
def matrix(case: Case) -> Matrix:
    second = case.model_copy(update={"name": "b", "title": "B", "two_stage": True, "width": 128, "height": 64})
    third = case.model_copy(update={"name": "c", "title": "C", "quantization": Quantization.QINT8})
    return Matrix(
        name="small",
        title="Small",
        prompt="A beaver.",
        cases=(case, second, third),
        source="matrices/small.yaml",
        source_sha256="0" * 64,
    )


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[Script], str]:
    """Writes a script and names the engine that follows it."""

    def write(script: Script) -> str:
        path = tmp_path / "script.json"
        path.write_text(script.model_dump_json())
        return f"scripted:{path}"

    return write


@pytest.fixture
def run_case(tmp_path: Path, case: Case, scripted: Callable[[Script], str]) -> Callable[..., CaseRecord]:
    """Runs one scripted case in a real child process."""

    def run(
        failure: Failure | None = None,
        *,
        limit_s: float | None = 30,
        script: CaseScript | None = None,
        warm_up: bool = False,
        instrumented: bool = True,
        case: Case = case,
        **options,
    ):
        chosen = script or CaseScript(failure=failure)
        job = WorkerJob(
            engine=scripted(Script(default=chosen)),
            task=GenerateJob(
                case=case,
                prompt="A beaver.",
                negative_prompt="",
                weights=NO_WEIGHTS,
                warm_up=warm_up,
                instrumented=instrumented,
            ),
            folder=tmp_path,
        )
        collector = Collector()
        ended = supervise(job, collector, output=tmp_path / "output.txt", limit_s=limit_s, **options)
        return collector.record(case, 1, "2026-01-31T23:59:59Z", ended)

    return run


def workers() -> list[int]:
    """Processes of cases that this test started, or that were started for it and have lost their parent."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "ltxbench.run.child" in (process.info["cmdline"] or []):
            with suppress(psutil.Error):
                if process.environ().get("PYTEST_CURRENT_TEST") == os.environ["PYTEST_CURRENT_TEST"]:
                    found.append(process.pid)
    return found


def none_left(seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while workers():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(process: subprocess.Popen[str]) -> None:
    """Whatever a test left of it, its pipes included: a failed one must not take the next ones with it."""
    process.kill()
    process.communicate()


@pytest.fixture
def hang_up() -> Iterator[None]:
    """SIGHUP has its meaning in what a test starts, though the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow past 64 KiB: the kernel then refuses as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
