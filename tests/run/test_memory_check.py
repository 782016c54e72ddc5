"""Before a run starts, it is told when a case will not fit."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ltxbench.cli.app import app
from ltxbench.errors import ResourceError
from ltxbench.run.listener import Listener
from ltxbench.run.memory_need import CaseNeed, Survey
from ltxbench.run.options import Options
from ltxbench.run.probe import probe_memory
from ltxbench.run.records import Outcome, Phase
from ltxbench.run.runner import Work, run_matrix
from ltxbench.run.script import Script
from tests.run.conftest import NO_WEIGHTS

SURVEY = Survey(
    needs=(
        CaseNeed(case="a", needed_bytes=10, phase=Phase.DECODE),
        CaseNeed(case="b", needed_bytes=100, phase=Phase.DENOISE_1),
    ),
    available_bytes=50,
)


class Notes(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def go(tmp_path, matrix, scripted):
    def run(*names: str, **options):
        chosen = [case for case in matrix.cases if case.name in names]
        work = Work(matrix, chosen, NO_WEIGHTS, tmp_path / "runs", scripted(Script(survey=SURVEY)))
        return run_matrix(work, Options(**options))

    return run


def test_a_case_that_does_not_fit_ends_the_run_before_it_begins(go, tmp_path):
    with pytest.raises(ResourceError, match="b about"):
        go("a", "b")
    assert not (tmp_path / "runs").exists()


def test_cases_that_fit_run(go):
    assert [record.outcome for record in go("a").cases] == [Outcome.OK]


def test_the_check_can_be_left_out(go):
    assert [record.outcome for record in go("b", memory_check=False).cases] == [Outcome.OK]


def test_cases_that_do_not_fit_are_skipped_where_that_is_asked_for(go):
    run = go("a", "b", skip_too_large=True)
    assert [record.outcome for record in run.cases] == [Outcome.OK, Outcome.SKIPPED]
    assert "needs about" in run.cases[1].failure.message


def test_the_need_is_asked_of_a_worker(scripted, matrix):
    assert probe_memory(scripted(Script(survey=SURVEY)), matrix.cases, NO_WEIGHTS) == SURVEY
    assert probe_memory(scripted(Script(survey=SURVEY)), matrix.cases[:1], NO_WEIGHTS) == SURVEY.model_copy(
        update={"needs": SURVEY.needs[:1]}
    )


def test_weights_that_cannot_be_opened_are_a_note_and_their_cases_tell_the_rest(tmp_path, matrix):
    notes = Notes()
    work = Work(matrix, matrix.cases[:1], NO_WEIGHTS, tmp_path / "runs")
    run = run_matrix(work, Options(doctor=False), notes)
    assert "the memory needed was not estimated" in notes.notes[0]
    assert run.cases[0].outcome is Outcome.FAILED
    assert "have no file for" in str(run.cases[0].failure)


def test_the_memory_is_told_before_any_file_of_random_weights_is_written(tmp_path, monkeypatch, scripted):
    monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path / "cache"))
    small = CaseNeed(case="distilled", needed_bytes=100, phase=Phase.DECODE)
    engine = scripted(Script(survey=Survey(needs=(small,), available_bytes=50)))
    arguments = [
        "bench",
        "smoke",
        "--case",
        "distilled",
        "--weights",
        "random:small",
        "--from-disk",
        "--engine",
        engine,
    ]
    result = CliRunner().invoke(app, [*arguments, "--runs", str(tmp_path / "runs")])
    assert isinstance(result.exception, ResourceError)
    assert not list((tmp_path / "cache").rglob("*.safetensors*"))


@pytest.mark.skipif(sys.platform != "linux", reason="macOS enforces no limit on the address space")
def test_what_there_is_on_a_cpu_is_no_more_than_the_process_may_map():
    code = "from ltxbench.run.mlx_survey import available_bytes; print(available_bytes())"
    command = ["sh", "-c", 'ulimit -v 2000000; exec "$@"', "sh", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2_000_000 << 10
