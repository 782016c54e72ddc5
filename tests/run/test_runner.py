from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ltxbench.errors import LtxbenchError, ResourceError, UsageError
from ltxbench.run import runner, session, store
from ltxbench.run.listener import Listener
from ltxbench.run.options import Options
from ltxbench.run.probe import probe_engine, probe_matmul
from ltxbench.run.records import MatmulRate, Outcome, Phase
from ltxbench.run.runner import Work, run_matrix
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from tests.run.conftest import NO_WEIGHTS, end, none_left, workers


class Told(Listener):
    """Writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.notes: list[str] = []

    def note(self, text):
        self.notes.append(text)

    def run_started(self, run, rounds):
        self.told.append(f"run of {len(rounds)}")

    def enhancement_started(self):
        self.told.append("enhancing")

    def enhancement_ended(self, text):
        self.told.append(f"enhanced: {text}")

    def case_started(self, case, round_number):
        self.told.append(f"{case.name} started")

    def case_ended(self, record):
        self.told.append(f"{record.case.name} {record.outcome.value}")


@pytest.fixture
def go(tmp_path, matrix, scripted):
    def run(script: Script, matrix=matrix, cases=None, listener=None, **options) -> store.RunFolder:
        chosen = matrix.cases if cases is None else cases
        work = Work(matrix, chosen, NO_WEIGHTS, tmp_path / "runs", scripted(script))
        return run_matrix(work, Options(**options), listener)

    return run


def test_every_case_is_stored_and_a_failed_one_does_not_stop_the_next(go):
    told = Told()
    script = Script(cases={"b": CaseScript(failure=Failure(kind=Fault.KILL, phase=Phase.DENOISE_2, step=1))})
    run = go(script, listener=told)
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.SIGNAL, Outcome.OK]
    assert store.load(run.path) == run
    assert told.told == ["run of 3", "a started", "a ok", "b started", "b signal", "c started", "c ok"]
    assert run.video_path("a").name == "a.mp4"
    assert run.video_path("b") is None
    assert [phase.phase for phase in run.cases[2].phases].count("quantize") == 1
    series = run.memory_series("b")
    assert set(series["phase"].dropna()) >= {"load", "encode", "denoise-1", "upscale"}
    assert run.record.conditioning == "A beaver."
    assert run.record.enhancement is None
    assert run.record.weights.synthetic


def test_the_prompt_is_enhanced_once_and_all_cases_share_it(go, matrix):
    told = Told()
    enhanced = "A brown beaver, at dusk."
    script = Script(enhanced=enhanced, default=CaseScript(phases={Phase.ENHANCE: 7.5}))
    run = go(script, matrix=matrix.model_copy(update={"enhance": True}), cases=matrix.cases[:2], listener=told)
    assert told.told[:3] == ["run of 2", "enhancing", f"enhanced: {enhanced}"]
    assert run.record.conditioning == run.record.enhancement.text == enhanced
    assert run.record.enhancement.duration_s == pytest.approx(7.5)
    assert run.record.enhancement.text_sha256 == run.record.conditioning_sha256
    assert store.load(run.path).record == run.record
    assert (run.path / "enhance" / "output.txt").exists()


def test_a_stored_enhanced_prompt_is_not_made_again(go, matrix):
    told = Told()
    stored = matrix.model_copy(update={"enhance": True, "enhanced": "Stored."})
    run = go(Script(), matrix=stored, cases=matrix.cases[:1], listener=told)
    assert "enhancing" not in told.told
    assert run.record.conditioning == "Stored."


def test_chosen_cases_run_in_the_matrix_order_with_its_numbers(go, matrix):
    run = go(Script(accelerator="Scripted GPU"), cases=[matrix.cases[2], matrix.cases[0]])
    assert [(record.number, record.case.name) for record in run.cases] == [(1, "a"), (3, "c")]
    assert run.record.selected == ("a", "c")
    assert run.record.machine.accelerator == "Scripted GPU"


def test_an_enhancement_that_fails_ends_the_run_with_one_message(go, matrix):
    script = Script(default=CaseScript(failure=Failure(kind=Fault.RAISE, phase=Phase.ENHANCE)))
    with pytest.raises(LtxbenchError, match="could not be enhanced: ValueError: scripted failure"):
        go(script, matrix=matrix.model_copy(update={"enhance": True}))


def test_a_full_disk_in_a_case_ends_the_run_with_the_case_on_record(go, tmp_path):
    script = Script(cases={"b": CaseScript(failure=Failure(kind=Fault.DISK_FULL))})
    with pytest.raises(ResourceError, match="the disk is full"):
        go(script)
    run = store.load(store.latest(tmp_path / "runs", "small"))
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.FAILED]


def test_a_disk_without_room_is_told_before_anything_runs(go, matrix, tmp_path):
    huge = matrix.cases[0].model_copy(update={"width": 1 << 24, "height": 1 << 24})
    with pytest.raises(ResourceError, match="MiB are free"):
        go(Script(), cases=[huge])
    assert not (tmp_path / "runs").exists()


def test_an_engine_is_asked_for_its_accelerator_in_a_process_of_its_own(scripted):
    assert probe_engine(scripted(Script(accelerator="Scripted GPU"))) == "Scripted GPU"
    assert probe_engine(scripted(Script())) is None


def test_the_rate_of_matrix_products_is_part_of_the_run(go):
    rate = MatmulRate(flops_per_s=727e12, size=8192, samples=600, dtype="bfloat16")
    run = go(Script(matmul=rate), cases=())
    assert run.record.matmul == store.load(run.path).record.matmul == rate
    assert go(Script(), cases=()).record.matmul is None


def test_the_rate_is_asked_of_a_worker(scripted):
    rate = MatmulRate(flops_per_s=727e12, size=8192, samples=600, dtype="bfloat16")
    assert probe_matmul(scripted(Script(matmul=rate)), {}) == rate
    assert probe_matmul(scripted(Script()), {}) is None
    measured = probe_matmul("mlx", {}, budget_s=0.01)
    assert measured.flops_per_s > 1e8


def test_a_rate_that_cannot_be_measured_is_noted_and_the_run_goes_on(matrix, tmp_path, monkeypatch):
    def fail(*_):
        raise LtxbenchError("the machine's rate of matrix products was not measured: killed by signal 9")

    monkeypatch.setattr(runner, "probe_engine", lambda *_: "GPU")
    monkeypatch.setattr(session, "probe_matmul", fail)
    told = Told()
    run = run_matrix(Work(matrix, (), NO_WEIGHTS, tmp_path / "runs"), Options(doctor=False), told)
    assert run.record.matmul is None
    assert told.notes == ["the machine's rate of matrix products was not measured: killed by signal 9"]


def test_an_engine_that_does_not_start_tells_why():
    with pytest.raises(UsageError, match=r"could not be started: missing\.json"):
        probe_engine("scripted:missing.json")


@pytest.mark.parametrize("engine", ["torch", "scripted", "scripted:missing.json"])
def test_an_unknown_engine_or_script_is_refused_before_anything_runs(matrix, tmp_path, engine):
    with pytest.raises(UsageError):
        run_matrix(Work(matrix, matrix.cases, NO_WEIGHTS, tmp_path / "runs", engine))
    assert not (tmp_path / "runs").exists()


DRIVER = """
import sys
from pathlib import Path
from ltxbench.errors import LtxbenchError
from ltxbench.matrix.case import Matrix
from ltxbench.run import runner, space
from ltxbench.run.listener import Listener
from tests.run.conftest import NO_WEIGHTS

class Loud(Listener):
    def case_started(self, case, round_number):
        print(case.name, flush=True)

    def event(self, event):
        print(event.event, flush=True)

folder = Path(sys.argv[1])
space.SPARE_BYTES = space.ROUND_BYTES = space.VIDEO_BYTES_PER_PIXEL = 0
space.lossless_video.BYTES_PER_PIXEL = 0
matrix = Matrix.model_validate_json((folder / "matrix.json").read_text())
try:
    engine = f"scripted:{folder}/script.json"
    work = runner.Work(matrix, matrix.cases, NO_WEIGHTS, Path(sys.argv[2]), engine)
    runner.run_matrix(work, listener=Loud())
except LtxbenchError as error:
    sys.exit(f"{type(error).__name__}: {error.message}")
"""


@pytest.fixture
def driver(tmp_path, matrix, scripted):
    """A program that runs the matrix as the command line does."""

    def start(script: Script, root: Path, *before: str) -> subprocess.Popen[str]:
        scripted(script)
        (tmp_path / "matrix.json").write_text(matrix.model_dump_json())
        # A preloaded BLAS starts threads, and a process with threads may not enter a new namespace.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        process = subprocess.Popen(
            [*before, sys.executable, "-c", DRIVER, str(tmp_path), str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=environment,
        )
        started.append(process)
        return process

    started: list[subprocess.Popen[str]] = []
    yield start
    for process in started:
        end(process)


SLOW = Script(cases={"b": CaseScript(pace=1.0, phases=dict.fromkeys(Phase, 0.0), steps=(60.0,))})


def wait_for_step(process: subprocess.Popen[str], case: str) -> None:
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if case in lines and lines[lines.index(case) :].count("phase-started") == 4:
            return
    pytest.fail(process.stderr.read())


def test_one_interrupt_ends_the_case_and_keeps_what_there_is(driver, tmp_path):
    process = driver(SLOW, tmp_path / "runs")
    wait_for_step(process, "b")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    run = store.load(store.latest(tmp_path / "runs", "small"))
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.INTERRUPTED]
    assert run.cases[1].failure.phase is Phase.DENOISE_1


def test_two_interrupts_stop_at_once_and_leave_no_process(driver, tmp_path):
    process = driver(
        Script(default=CaseScript(failure=Failure(kind=Fault.KILL, amount=signal.SIGSTOP))), tmp_path / "runs"
    )
    wait_for_step(process, "a")
    wait_until_stopped()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    process.communicate(timeout=20)
    assert time.monotonic() - begin < 5
    assert process.returncode not in (0, None)
    assert none_left()


def test_a_killed_parent_leaves_no_worker_and_its_finished_cases_whole(driver, tmp_path):
    process = driver(SLOW, tmp_path / "runs")
    wait_for_step(process, "b")
    process.kill()
    process.communicate()
    run = store.load(store.latest(tmp_path / "runs", "small"))
    assert [record.outcome for record in run.cases] == [Outcome.OK]
    assert none_left()


def wait_until_stopped() -> None:
    """The step is told before the fault that follows it has struck."""
    import psutil

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(psutil.Process(number).status() == psutil.STATUS_STOPPED for number in workers()):
            return
        time.sleep(0.05)
    raise AssertionError("the worker was not stopped")


def test_a_small_filesystem_that_fills_up_ends_with_one_message(driver, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = (
        "env",
        "-u",
        "LD_PRELOAD",
        "unshare",
        "-rm",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=24k none {disk} && exec "$@"',
        "sh",
    )
    if subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("may not mount a filesystem here")
    process = driver(Script(), disk / "runs", *mount)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = errors.strip().splitlines()
    assert line.startswith("ResourceError: ")
    assert "the disk is full" in line


def test_the_parent_imports_no_mlx():
    code = "import sys, ltxbench.run.runner, ltxbench.run.progress; sys.exit('mlx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
