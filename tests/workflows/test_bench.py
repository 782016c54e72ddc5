"""The workflow `bench`, step by step: measured, judged, recorded, published, and told to the pull request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ltxbench.run.records import Phase
from ltxbench.run.script import GIB, CaseScript, Level, Script
from tests.workflows.files import BY_NAME, ROOT
from tests.workflows.machine import Machine, Result

MATRIX = """
matrix: pocket
title: Pocket
prompt: A lamp swings in the wind
defaults: {size: 64x64, frames: 9, seed: 5, model: distilled}
cases:
  - {name: first, title: First}
  - {name: second, title: Second, seed: 6}
"""
MORE = {Phase.DENOISE_1: Level(peak_bytes=30 * GIB)}
PLAYED = CaseScript(steps=(1.02, 0.99, 1.01, 1.0))
SCRIPT = Script(default=PLAYED).model_dump_json()
LARGER = Script(default=PLAYED, cases={"second": PLAYED.model_copy(update={"memory": MORE})}).model_dump_json()
BENCH = BY_NAME["bench"]
VARIABLES = {
    "LTXBENCH_RUNNER_REPOSITORY": "owner/ltxbench",
    "LTXBENCH_MATRIX": "pocket",
    "LTXBENCH_WEIGHTS": "tiny",
    "LTXBENCH_REPEATS": "1",
    "LTXBENCH_COOLDOWN": "0",
    "LTXBENCH_RERUN": "0",
}


def needs(measured: Result) -> dict[str, object]:
    return {"measure": {"result": measured.result, "outputs": measured.outputs}}


def begin(folder: Path, script: str | None) -> Machine:
    machine = Machine(folder, VARIABLES, script)
    machine.begin_branch("baseline", {"README.md": "Runs to compare with.\n"})
    matrices = folder / "checkout" / "matrices"
    matrices.mkdir(parents=True)
    (matrices / "pocket.yaml").write_text(MATRIX)
    return machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return begin(tmp_path_factory.mktemp("played") / "machine", SCRIPT)


@pytest.fixture(scope="module")
def first(machine: Machine) -> Result:
    return machine.run(BENCH, "measure")


@pytest.fixture(scope="module")
def recorded(machine: Machine, first: Result) -> Result:
    return machine.run(BENCH, "record", needs=needs(first))


@pytest.fixture(scope="module")
def second(machine: Machine, recorded: Result) -> Result:
    """One case needs 8 GiB more."""
    machine.play(LARGER)
    return machine.run(BENCH, "measure")


def test_the_first_run_has_nothing_to_be_compared_with_and_is_fine(machine: Machine, first: Result) -> None:
    assert first.result == "success", first.text
    assert first.outputs == {"main": "true", "page": "true"}
    assert "pocket" in first.summary.lower()
    assert {step.outcome for step in first.steps.values()} == {"success"}


def test_a_good_run_enters_the_baseline_on_the_server(machine: Machine, recorded: Result) -> None:
    assert recorded.result == "success", recorded.text
    files = machine.git("ls-tree", "-r", "--name-only", "baseline", cwd=machine.origin).splitlines()
    assert [file.partition("/")[0] for file in files] == ["README.md", "pocket"]
    assert "t0ken" not in recorded.text
    assert (machine.artifacts / "history" / "history.svg").stat().st_size > 1000


def test_the_page_is_published_from_the_artifact(machine: Machine, first: Result) -> None:
    published = machine.run(BENCH, "publish", needs=needs(first))
    assert published.result == "success", published.text


def test_a_case_that_got_worse_turns_the_job_red_and_is_named(machine: Machine, second: Result) -> None:
    assert second.result == "failure"
    assert second.steps["measure"].outcome == "success"
    assert second.steps["Gate"].text.endswith("exit 8"), second.text
    verdict = json.loads((machine.artifacts / "verdict" / "verdict.json").read_text())
    assert verdict["exit_code"] == 8
    worse = {case["name"] for case in verdict["cases"] for each in case["metrics"] if each["answer"] == "regressed"}
    assert worse == {"second"}
    assert (machine.artifacts / "run" / "junit.xml").stat().st_size > 100


def test_a_red_run_stays_out_of_the_baseline_until_a_maintainer_accepts_it(machine: Machine, second: Result) -> None:
    assert machine.run(BENCH, "record", needs=needs(second)).result == "skipped"
    accepted = machine.run(BENCH, "record", needs=needs(second), inputs={"accept": "second"})
    assert accepted.result == "success", accepted.text
    (newest,) = (machine.git("show", "--format=", "--name-only", "baseline", cwd=machine.origin)).splitlines()
    assert json.loads(machine.git("show", f"baseline:{newest}", cwd=machine.origin))["accepts"] == ["second"]


def test_a_job_that_is_run_again_and_has_nothing_to_push_is_green(machine: Machine, second: Result) -> None:
    for _ in range(2):
        accepted = machine.run(BENCH, "record", needs=needs(second), inputs={"accept": "second"})
        assert accepted.result == "success", accepted.text


@pytest.mark.slow
def test_what_was_accepted_is_green_from_then_on(machine: Machine, second: Result) -> None:
    accepted = machine.run(BENCH, "record", needs=needs(second), inputs={"accept": "second"})
    assert accepted.result == "success", accepted.text
    assert machine.run(BENCH, "measure").result == "success"


def test_nothing_is_left_on_the_machine_that_measured(machine: Machine, second: Result) -> None:
    (workspace, *_) = sorted(machine.folder.glob("bench-measure-*/workspace"))
    assert not (workspace / "out").exists()
    assert not (workspace / "baseline").exists()
    assert list((workspace.parent / "temporary").iterdir()) == []


def test_a_doctor_that_refuses_leaves_no_page_and_no_verdict(tmp_path: Path) -> None:
    refusing = begin(tmp_path / "machine", SCRIPT)
    refusing.program("caffeinate", 'case "$*" in *doctor*) exit 7 ;; esac; exit 99')
    result = refusing.run(BENCH, "measure")
    assert result.result == "failure"
    assert result.steps["measure"].outcome == result.steps["Gate"].outcome == "skipped"
    assert result.outputs == {"main": "true", "page": None}
    assert [path.name for path in (refusing.artifacts / "verdict").iterdir()] == ["commit.txt"]


def test_a_branch_is_measured_but_neither_recorded_nor_published(machine: Machine) -> None:
    outputs = {"main": "false", "page": "true"}
    contexts = {"needs": {"measure": {"result": "success", "outputs": outputs}}, "inputs": {"branch": "topic"}}
    assert machine.run(BENCH, "record", **contexts).result == "skipped"
    assert machine.run(BENCH, "publish", **contexts).result == "skipped"


def test_the_page_that_is_committed_is_never_judged_in_place_of_a_run() -> None:
    """reports/ has a page already: results go to a folder of their own, or a failed start would pass the gate."""
    assert (ROOT / "reports" / "beaver-dam").exists()
    (job,) = BENCH.self_hosted.values()
    assert "--reports out/reports" in next(step["run"] for step in job["steps"] if step.get("id") == "measure")


@pytest.mark.slow
def test_the_measuring_job_works_with_the_real_pipeline(tmp_path: Path) -> None:
    real = begin(tmp_path / "machine", None)
    measured = real.run(BENCH, "measure")
    assert measured.result == "success", measured.text
    assert real.run(BENCH, "publish", needs=needs(measured)).result == "success"
    recorded = real.run(BENCH, "record", needs=needs(measured))
    assert recorded.result == "success", recorded.text  # a busy machine's run is INVALID, and that is no failure
