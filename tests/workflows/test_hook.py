"""The script on the Mac that refuses jobs before their first step."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflows.files import ROOT

REPOSITORY = "owner/ltxbench"
MAIN = f"{REPOSITORY}/.github/workflows/bench.yml@refs/heads/main"
GOOD = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_WORKFLOW_REF": MAIN, "GITHUB_EVENT_NAME": "push"}


def ask(folder: Path, repository: str | None, **environment: str) -> subprocess.CompletedProcess[str]:
    script = shutil.copy(ROOT / ".github" / "runner" / "job-started.sh", folder)
    if repository is not None:
        (folder / "repository").write_text(repository)
    command = [shutil.which("bash") or "bash", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
def test_mains_own_workflow_may_run(tmp_path: Path, event: str) -> None:
    assert ask(tmp_path, f"{REPOSITORY}\n", **{**GOOD, "GITHUB_EVENT_NAME": event}).returncode == 0


@pytest.mark.parametrize(
    "change",
    [
        {"GITHUB_REPOSITORY": "stranger/ltxbench"},
        {"GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/bench.yml@refs/pull/1/merge"},
        {"GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/other.yml@refs/heads/main"},
        {"GITHUB_WORKFLOW_REF": f"{MAIN}x"},
        {"GITHUB_WORKFLOW_REF": ""},
        {"GITHUB_EVENT_NAME": "pull_request"},
        {"GITHUB_EVENT_NAME": "pull_request_target"},
        {"GITHUB_EVENT_NAME": ""},
    ],
    ids=str,
)
def test_anything_else_is_refused_and_told_why(tmp_path: Path, change: dict[str, str]) -> None:
    done = ask(tmp_path, f"{REPOSITORY}\n", **{**GOOD, **change})
    assert done.returncode == 1
    assert done.stdout.startswith("::error::This machine runs owner/ltxbench/")


@pytest.mark.parametrize("repository", [None, "", "\n"], ids=["no file", "empty", "empty line"])
def test_a_machine_that_does_not_know_its_repository_refuses_everything(tmp_path: Path, repository: str | None) -> None:
    nameless = {"GITHUB_REPOSITORY": "", "GITHUB_WORKFLOW_REF": MAIN.removeprefix(REPOSITORY)}
    assert ask(tmp_path, repository, **{**GOOD, **nameless}).returncode != 0
    assert ask(tmp_path, repository, **GOOD).returncode != 0


def test_a_job_without_any_variable_is_refused(tmp_path: Path) -> None:
    assert ask(tmp_path, f"{REPOSITORY}\n").returncode == 1
