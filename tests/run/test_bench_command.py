"""`ltxbench bench` as it is used: a process, a matrix file, a page. The engine is scripted, all else is real."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ltxbench.run import store
from ltxbench.run.lock import machine_lock
from ltxbench.run.records import Outcome, Phase, Weights
from ltxbench.run.script import CaseScript, Failure, Fault, Script
from ltxbench.weights.files import WeightFiles
from tests.run.conftest import end

MATRIX = """
matrix: pair
title: A pair
prompt: A beaver
defaults: {frames: 9, size: 64x32}
cases:
  - {name: first, title: First, model: distilled}
  - {name: second, title: Second, model: distilled, quantization: qint8}
"""


@pytest.fixture
def folder(tmp_path, tiny: WeightFiles, scripted) -> Path:
    scripted(Script())
    (tmp_path / "pair.yaml").write_text(MATRIX)
    return tmp_path


@pytest.fixture
def start(folder):
    started = []

    def popen(*arguments: str, script: Script | None = None, **streams) -> subprocess.Popen[str]:
        if script is not None:
            (folder / "script.json").write_text(script.model_dump_json())
        command = [sys.executable, "-m", "ltxbench", "bench", *arguments, "--engine", "scripted:script.json"]
        environment = {**os.environ, "COLUMNS": "120"}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=folder, env=environment, text=True, **{**piped, **streams}))
        return started[-1]

    yield popen
    for process in started:
        end(process)


@pytest.fixture
def bench(start):
    def run(*arguments: str, **options) -> tuple[int, str, str]:
        process = start(*arguments, **options)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    return run


def stored(folder: Path) -> store.RunFolder:
    path = store.latest(folder / "runs", "pair")
    assert path is not None
    return store.load(path)


def test_a_matrix_becomes_a_page_with_its_run_beside_it(bench, folder):
    code, output, errors = bench("./pair.yaml")
    assert code == 0, errors
    assert "synthetic" in output
    assert "synthetic" in errors
    assert "[2/2] second generated in" in errors
    run = stored(folder)
    page = folder / "reports" / "pair" / "README.md"
    assert f"Page: {page.relative_to(folder)}" in output
    assert f"Run:  {run.path.relative_to(folder)}" in output
    assert store.load(page.parent / "run").cases == run.cases
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.OK]
    assert [line for line in errors.splitlines() if line.startswith("measuring the pictures")] == [
        "measuring the pictures of first",
        "measuring the pictures of second",
    ]
    assert "### The pictures, measured" in page.read_text()
    assert (page.parent / "run" / "cases" / "second" / "quality.json").exists()
    assert run.record.weights.digest
    assert run.record.command[:2] == ("ltxbench", "bench")


def test_a_failed_case_is_in_the_exit_code_and_its_cause_in_the_last_lines(bench, folder):
    script = Script(cases={"first": CaseScript(failure=Failure(kind=Fault.OUT_OF_MEMORY))})
    code, output, errors = bench("./pair.yaml", "--no-report", script=script)
    assert code == 6
    assert "1 of 2 cases did not finish: first" in errors
    assert "out of memory while denoising" in errors
    assert "out of memory" in output
    assert "Traceback" not in errors
    assert not (folder / "reports").exists()


def test_a_case_past_its_limit_is_stopped(bench, folder):
    script = Script(default=CaseScript(failure=Failure(kind=Fault.HANG)))
    code, _, errors = bench("./pair.yaml", "--case", "sec*", "--case-limit", "2", "--no-report", script=script)
    assert code == 6, errors
    (record,) = stored(folder).cases
    assert (record.case.name, record.outcome) == ("second", Outcome.TIMEOUT)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("./pair.yaml", "--case", "frist"), 2, "has no case `frist`"),
        (("./pair.yaml", "--weights", "./nowhere"), 4, "no such folder of weights"),
        (("./pair.yaml", "--runs", "pair.yaml"), 5, "cannot be written"),
    ],
)
def test_a_mistake_ends_with_one_message_and_its_own_code(bench, arguments, code, message):
    found, _, errors = bench(*arguments)
    assert found == code, errors
    assert message in errors
    assert "Traceback" not in errors


def test_a_second_benchmark_is_refused_while_one_runs(bench):
    with machine_lock("matrix other"):
        code, _, errors = bench("./pair.yaml")
    assert code == 9
    assert f"process {os.getpid()}, matrix other" in errors


def test_a_run_goes_on_when_nobody_reads_what_it_prints(start, folder):
    process = start("./pair.yaml")
    process.stderr.readline()
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert [record.outcome for record in stored(folder).cases] == [Outcome.OK, Outcome.OK]
    assert (folder / "reports" / "pair" / "README.md").exists()


@pytest.mark.usefixtures("hang_up")
def test_a_terminal_that_is_closed_ends_the_case_and_the_page_is_written(start, folder):
    slow = CaseScript(pace=1.0, phases=dict.fromkeys(Phase, 0.0), steps=(60.0,))
    terminal, ours = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), ours)
    process = start("./pair.yaml", script=Script(cases={"second": slow}), start_new_session=True, **streams)
    shown = b""
    while b"second: denoising" not in shown:
        shown += os.read(terminal, 1 << 12)
    os.close(ours)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)  # as the kernel does to the session whose terminal this is
    assert process.wait(timeout=60) == 130
    assert [record.outcome for record in stored(folder).cases] == [Outcome.OK, Outcome.INTERRUPTED]
    assert (folder / "reports" / "pair" / "README.md").exists()


def test_ctrl_c_writes_the_page_of_what_there_is_and_exits_130(start, folder):
    slow = CaseScript(pace=1.0, phases=dict.fromkeys(Phase, 0.0), steps=(60.0,))
    broken = CaseScript(failure=Failure(kind=Fault.RAISE))
    process = start("./pair.yaml", script=Script(cases={"first": broken, "second": slow}))
    for line in process.stderr:
        if "second started" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [record.outcome for record in stored(folder).cases] == [Outcome.FAILED, Outcome.INTERRUPTED]
    page = (folder / "reports" / "pair" / "README.md").read_text()
    assert "interrupted" in page
    assert "scripted failure" in page


def test_an_interrupted_run_is_resumed_as_the_message_says(start, bench, folder):
    slow = CaseScript(pace=1.0, phases=dict.fromkeys(Phase, 0.0), steps=(60.0,))
    process = start("./pair.yaml", "--no-report", script=Script(cases={"second": slow}))
    for line in process.stderr:
        if "second started" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "`ltxbench bench ./pair.yaml --resume` goes on" in errors
    assert "measuring the pictures" not in errors
    kept = stored(folder)
    code, _, errors = bench("./pair.yaml", "--no-report", "--resume", script=Script())
    assert code == 0, errors
    assert "[1/1] second generated" in errors
    run = stored(folder)
    assert run.record.id == kept.record.id
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.OK]
    code, _, errors = bench("./pair.yaml", "--no-report", "--resume-run", run.record.id)
    assert code == 0
    assert "nothing is left to do" in errors


def test_rounds_are_shown_with_their_number_and_summed_up_at_the_end(bench, folder):
    code, _, errors = bench("./pair.yaml", "--no-report", "--repeats", "2", "--check", "--case", "first")
    assert code == 0, errors
    assert "pair: 1 case, 2 rounds each" in errors
    assert "[2/3] first, round 2 generated" in errors
    assert "[3/3] first, check generated" in errors
    assert {record.round for record in stored(folder).records} == {0, 1, 2}


def test_a_round_that_failed_is_named_in_the_last_line(bench, folder):
    script = Script(default=CaseScript(failure=Failure(kind=Fault.RAISE)))
    code, _, errors = bench("./pair.yaml", "--no-report", "--repeats", "2", "--case", "first", script=script)
    assert code == 6
    assert "2 of 2 rounds did not finish: first (round 1), first (round 2)" in errors


def test_a_changed_matrix_is_refused_by_resume_with_its_own_code(bench, folder):
    assert bench("./pair.yaml", "--no-report", "--case", "first")[0] == 0
    (folder / "pair.yaml").write_text(MATRIX.replace("frames: 9", "frames: 17"))
    code, _, errors = bench("./pair.yaml", "--no-report", "--resume")
    assert code == 10
    assert "case first frames: was 9, is 17" in errors
    assert "Traceback" not in errors


DRIFTING = Script(default=CaseScript(steps=(1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7)))


def test_figures_that_cannot_be_trusted_have_an_exit_code_of_their_own(bench, folder):
    code, output, errors = bench(
        "./pair.yaml", "--no-report", "--no-quality", "--case", "first", "--weights", "random", script=DRIFTING
    )
    assert code == 7, errors
    assert "the figures cannot be trusted: first: " in errors
    assert "Traceback" not in errors
    assert "first" in output
    assert stored(folder).cases[0].outcome is Outcome.OK


@pytest.mark.parametrize(
    ("kind", "synthetic", "full_size"),
    [
        ("random", True, True),
        ("random, from disk", True, True),
        ("random:small", True, False),
        ("random:small, from disk", True, False),
        ("tiny", True, False),
        ("official", False, False),
    ],
)
def test_random_weights_of_the_19b_claim_its_figures_from_a_disk_too(kind, synthetic, full_size):
    assert Weights(kind=kind, synthetic=synthetic).full_size_random is full_size


def test_of_small_weights_that_is_said_and_no_more(bench):
    code, _, errors = bench("./pair.yaml", "--no-report", "--no-quality", "--case", "first", script=DRIFTING)
    assert code == 0, errors
    assert "INVALID, as figures of weights this small often are" in errors


def test_a_single_round_that_went_well_is_fine(bench):
    code, _, errors = bench(
        "./pair.yaml", "--no-report", "--no-quality", "--case", "first", "--weights", "random", script=Script()
    )
    assert code == 0, errors
    assert "INVALID" not in errors
