"""The hosted workflows' jobs, step by step."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ltxbench.run import store
from ltxbench.run.conditions import Examination, Reading, Status
from ltxbench.run.script import CaseScript, Script
from tests.workflows.files import BY_NAME, ROOT
from tests.workflows.machine import Machine

CI = BY_NAME["ci"]
SCRIPT = Script(default=CaseScript()).model_dump_json()
VIRTUAL = Reading(name="virtual machine", status=Status.FAILURE, value="Apple Paravirtual device")
REFUSED = Script(examination=Examination(readings=(VIRTUAL,))).model_dump_json()
ONE_CASE = """
matrix: smoke
title: Smoke
prompt: A lamp swings in the wind
cases:
  - {name: only, title: Only, model: distilled, size: 64x64, frames: 9}
"""
STALE = "<!-- ltxbench:table matrix=beaver-dam -->\n\nAs it was last year.\n\n<!-- /ltxbench -->\n"


def overlay(machine: Machine, path: str, text: str) -> None:
    """Lies over the checked-out tree."""
    file = machine.folder / "checkout" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_smoke_matrix_runs_on_a_virtual_mac_by_force(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    machine.play(REFUSED, doctor=7)
    overlay(machine, "matrices/smoke.yaml", ONE_CASE)
    result = machine.run(CI, "smoke", runner={"os": "macOS"}, matrix={"os": "macos-latest"})
    assert result.result == "success", result.text
    examination = store.load(machine.artifacts / "smoke-macos-latest" / "run").record.examination
    assert examination is not None
    assert examination.overridden


def test_where_the_doctor_refuses_nothing_but_a_virtual_mac_is_forced(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    machine.play(REFUSED)
    overlay(machine, "matrices/smoke.yaml", ONE_CASE)
    result = machine.run(CI, "smoke", matrix={"os": "ubuntu-latest"})
    assert result.steps["Smoke matrix"].text.endswith("exit 7"), result.text


def test_a_virtual_mac_that_the_doctor_lets_pass_is_red(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    machine.play(SCRIPT, doctor=0)
    result = machine.run(CI, "smoke", runner={"os": "macOS"}, matrix={"os": "macos-latest"})
    assert result.result == "failure"
    assert result.steps["Smoke matrix"].outcome == "skipped"


def test_pages_and_documents_are_checked_and_a_stale_one_turns_the_job_red(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    overlay(machine, "docs/stale.md", STALE)
    result = machine.run(CI, "docs")
    text = result.steps["make docs-check"].text
    assert result.result == "failure"
    assert "reports/beaver-dam: " in text
    assert "docs/stale.md: stale" in text


def test_the_tests_step_runs_the_tests(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine", environment={"ARGS": "-p no:cacheprovider tests/test_errors.py"})
    result = machine.run(CI, "test", matrix={"python": "3.11"})
    assert result.result == "success", result.text
    assert " passed" in result.steps["make test"].text


def test_make_prints_the_gates_own_code_and_leaves_the_verdict(tmp_path: Path) -> None:
    """GNU make ends with 2 whatever the code was."""
    folder = tmp_path / "tree"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    (folder / "pyproject.toml").touch()
    gate = folder / ".venv" / "bin" / "ltxbench"
    gate.write_text('#!/bin/sh\necho "$@" > arguments\nwhile [ "$1" != --verdict ]; do shift; done\n: > "$2"\nexit 8\n')
    gate.chmod(0o755)
    for stamp in (".installed", "bin/python"):
        (folder / ".venv" / stamp).touch()
    command = ["make", "check", "MATRIX=smoke", "ARGS=--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "ltxbench check: exit code 8; the verdict is in verdict.json" in done.stdout
    assert (folder / "verdict.json").exists()
    arguments = (folder / "arguments").read_text().strip()
    assert arguments == "check reports/smoke --baseline baseline --verdict verdict.json --strict"


@pytest.mark.parametrize("target", ["check", "docs", "docs-check", "history", "doctor", "soak", "simulate", "fuzz"])
def test_a_target_is_in_the_help_and_make_understands_it(target: str) -> None:
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"make {target}" in text
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_simulate_covers_the_comparison_and_the_gate() -> None:
    done = subprocess.run(["make", "-n", "simulate"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "ltxbench simulate" in done
    assert "-m tests.regression.simulate_history --histories 20" in done
    assert "-m tests.regression.simulate_history --machine all --histories 3" in done


@pytest.mark.slow
def test_the_smoke_matrix_runs_with_the_real_pipeline(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    result = machine.run(CI, "smoke", matrix={"os": "ubuntu-latest"})
    assert result.result == "success", result.text


@pytest.mark.slow
def test_every_committed_page_and_document_is_fresh(tmp_path: Path) -> None:
    result = Machine(tmp_path / "machine").run(CI, "docs")
    assert result.result == "success", result.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "environment"),
    [
        ("fuzz", {"COUNT": "200"}),
        ("simulate", {"ARGS": "--only aa-runs --scale 0.02", "HISTORIES": "1", "OTHERS": "1"}),
    ],
)
def test_the_long_jobs_run(tmp_path: Path, target: str, environment: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", environment=environment)
    result = machine.run(BY_NAME["long"], "run", matrix={"target": target})
    assert result.result == "success", result.text
