"""Runs of a scripted engine, to be audited.

Executions stay in this process unless a test asks for real ones: what differs is where the engine runs, nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

import ltxbench
from ltxbench.matrix.case import Case, Matrix
from ltxbench.measure.machine import describe_machine
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run import store
from ltxbench.run.collect import Collector
from ltxbench.run.engine import Generated, GenerateJob, Simulated
from ltxbench.run.events import Emit, Finished, VideoWritten
from ltxbench.run.records import CHECK_ROUND, RunRecord, VideoRecord, Weights
from ltxbench.run.script import CaseScript, Script
from ltxbench.run.store import RunFolder
from ltxbench.run.supervisor import Ended
from ltxbench.run.video import frames_sha256
from ltxbench.run.worker import WorkerJob, failure, make_engine
from ltxbench.weights.files import WeightFiles

PROMPT = "A fox."
NO_WEIGHTS = WeightFiles(
    kind="none", synthetic=True, distilled=None, dev=None, distilled_lora=None, upscaler=None, gemma=None
)
CASES = (
    Case(name="slow", title="Slow", steps=4, width=64, height=32, frames=9),
    Case(name="quick", title="Quick", steps=2, width=64, height=32, frames=9),
)


@pytest.fixture
def engine(tmp_path: Path) -> Callable[[CaseScript], str]:
    def write(script: CaseScript) -> str:
        path = tmp_path / f"{hashlib.sha256(script.model_dump_json().encode()).hexdigest()[:8]}.json"
        path.write_text(Script(default=script).model_dump_json())
        return f"scripted:{path}"

    return write


def in_process(job: WorkerJob, emit: Emit, *, output: Path, **_options: object) -> Ended:
    """As supervise does, without a child."""
    task = job.task
    assert isinstance(task, GenerateJob)
    engine = make_engine(job.engine)
    assert isinstance(engine, Simulated)
    recorder = CaseRecorder(engine, emit, engine.footprint, stepped=task.instrumented)
    code = 0
    try:
        generated = engine.generate(task, recorder)
        emit(VideoWritten(video=video_of(task.case, generated)))
        recorder.close()
        emit(Finished())
    except Exception as error:  # noqa: BLE001 - whatever ended the job is its result, as in the worker
        emit(failure(error, output.parent, recorder.current))
        code = 1
    return Ended(code, wall_s=1.0, timed_out=False, interrupted=False, garbled=None, output_tail="")


def video_of(case: Case, generated: Generated) -> VideoRecord:
    return VideoRecord(
        file=None,
        width=case.width,
        height=case.height,
        frames=case.frames,
        fps=case.fps,
        size_bytes=1,
        frames_sha256=frames_sha256(generated.frames),
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes."""
    machine = describe_machine(None)
    monkeypatch.setattr("ltxbench.audit.execution.supervise", in_process)
    monkeypatch.setattr("ltxbench.audit.run.probe_engine", lambda *_: None)
    monkeypatch.setattr("ltxbench.audit.run.describe_machine", lambda _: machine)


@pytest.fixture
def measured(tmp_path: Path, engine: Callable[[CaseScript], str]) -> Callable[..., RunFolder]:
    """A run of some cases by a scripted engine, one timed round each and, if asked for, the check."""

    def measure(script: CaseScript, cases: tuple[Case, ...] = CASES[1:], *, check: bool = False, **record) -> RunFolder:
        matrix = Matrix(
            name="small", title="Small", prompt=PROMPT, cases=cases, source="small.yaml", source_sha256="0" * 64
        )
        fields = {
            "id": store.new_run_id(),
            "ltxbench_version": ltxbench.__version__,
            "created_utc": "2026-01-31T23:59:59Z",
            "matrix": matrix,
            "machine": describe_machine(None),
            "weights": Weights(kind="none", synthetic=True),
            "command": ("ltxbench", "bench", "small"),
            "conditioning": PROMPT,
            **record,
        }
        run = store.create(tmp_path / "runs", RunRecord(**fields))
        for number, case in enumerate(cases, start=1):
            for round_number in (1, CHECK_ROUND) if check else (1,):
                folder = run.folder_of(case.name, round_number)
                folder.mkdir(parents=True)
                task = GenerateJob(
                    case=case,
                    prompt=PROMPT,
                    negative_prompt="",
                    weights=NO_WEIGHTS,
                    instrumented=round_number != CHECK_ROUND,
                )
                collector = Collector()
                job = WorkerJob(engine=engine(script), task=task, folder=folder)
                ended = in_process(job, collector, output=folder / "output.txt")
                made = collector.record(case, number, "2026-01-31T23:59:59Z", ended)
                run = store.write_case(run, made.model_copy(update={"round": round_number}))
        return run

    return measure
