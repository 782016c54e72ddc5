"""Properties of the workflow files that keep the machine, the token and the results safe."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.expressions import Evaluator
from tests.workflows.files import BY_NAME, FOLDER, ROOT, WORKFLOWS, Workflow

each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
WRITES = {
    ("bench", "record"): {"contents"},
    ("bench", "publish"): {"pages", "id-token"},
    ("comment", "comment"): {"pull-requests"},
}
"""Every job that may write, and what."""


def tool(name: str) -> str:
    """Beside this Python, or on the path; pip puts the linters of the extra `dev` there."""
    found = shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, input=text)


def test_the_files_are_those_that_are_documented() -> None:
    assert set(BY_NAME) == {"bench", "ci", "comment", "long"}


@each_workflow
def test_actionlint_finds_nothing(workflow: Workflow) -> None:
    result = run(tool("actionlint"), "-no-color", str(workflow.path))
    assert result.returncode == 0, result.stdout


@each_workflow
def test_the_file_keeps_githubs_schema(workflow: Workflow) -> None:
    result = run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(workflow.path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_zizmor_finds_nothing_above_low() -> None:
    command = (tool("zizmor"), "--offline", "--no-exit-codes", "--format", "json", "--min-severity", "medium")
    result = run(*command, str(FOLDER))
    assert result.returncode == 0, result.stderr
    assert [finding["desc"] for finding in json.loads(result.stdout)] == []


def test_zizmor_sees_what_is_wrong(tmp_path: Path) -> None:
    bad = FOLDER.joinpath("ci.yml").read_text().replace("run: make lint", 'run: echo "${{ github.head_ref }}"', 1)
    (tmp_path / "bad.yml").write_text(bad)
    result = run(tool("zizmor"), "--offline", "--min-severity", "medium", str(tmp_path / "bad.yml"))
    assert result.returncode != 0


@each_workflow
def test_shellcheck_finds_nothing_in_the_scripts(workflow: Workflow) -> None:
    for job, step in workflow.steps:
        if "run" in step:
            result = run(tool("shellcheck"), "--shell=bash", "-", text=step["run"])
            assert result.returncode == 0, f"{job}: {result.stdout}"


def test_shellcheck_finds_nothing_in_the_machines_guard() -> None:
    result = run(tool("shellcheck"), str(ROOT / ".github" / "runner" / "job-started.sh"))
    assert result.returncode == 0, result.stdout


@each_workflow
def test_no_pull_request_reaches_a_token_that_can_write(workflow: Workflow) -> None:
    events = set(workflow.content["on"])
    assert "pull_request_target" not in events
    if "pull_request" in events:
        assert not workflow.self_hosted
        assert all("permissions" not in job for job in workflow.jobs.values())


@each_workflow
def test_every_action_is_pinned_by_a_commits_hash_and_says_its_version(workflow: Workflow) -> None:
    lines = [line.strip() for line in workflow.path.read_text().splitlines() if re.match(r"\s*-? *uses:", line)]
    assert lines
    assert len(lines) == sum("uses" in step for _, step in workflow.steps)
    for line in lines:
        assert re.fullmatch(r"(- )?uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_hash_everywhere() -> None:
    used = {step["uses"] for workflow in WORKFLOWS for _, step in workflow.steps if "uses" in step}
    assert len(used) == len({each.partition("@")[0] for each in used})


@each_workflow
def test_the_token_can_read_and_only_named_jobs_may_write(workflow: Workflow) -> None:
    assert workflow.content["permissions"] == {"contents": "read"}
    for name, job in workflow.jobs.items():
        granted = {key for key, level in job.get("permissions", {}).items() if level != "read"}
        assert granted == WRITES.get((workflow.name, name), set()), name


@each_workflow
def test_a_checkout_leaves_no_token_behind(workflow: Workflow) -> None:
    for _, step in workflow.steps:
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_every_job_ends_in_time_and_runs_are_kept_apart(workflow: Workflow) -> None:
    assert workflow.content["concurrency"]["group"]
    assert "cancel-in-progress" in workflow.content["concurrency"]
    assert workflow.content["defaults"] == {"run": {"shell": "bash"}}
    for job in workflow.jobs.values():
        assert 0 < job["timeout-minutes"] <= 720


@each_workflow
def test_no_expression_stands_in_a_script(workflow: Workflow) -> None:
    """What an expression gives would become part of the program; values come through the environment."""
    assert [step["run"] for _, step in workflow.steps if "${{" in step.get("run", "")] == []


@each_workflow
def test_a_job_that_may_write_names_no_text_that_others_choose(workflow: Workflow) -> None:
    chosen = r"github\.head_ref|github\.event\.(?!workflow_run\.(id|html_url|conclusion|head_repository|head_branch)\b)"
    for name, job in workflow.jobs.items():
        assert not re.search(chosen, json.dumps(job)), name


def test_only_one_measurement_runs_and_none_is_cut_short() -> None:
    assert BY_NAME["bench"].content["concurrency"] == {"group": "bench", "cancel-in-progress": False}


def test_the_measuring_job_uses_no_cache_and_cleans_up() -> None:
    (job,) = BY_NAME["bench"].self_hosted.values()
    assert not any("cache" in step.get("uses", "") or "cache" in step.get("with", {}) for step in job["steps"])
    assert job["env"]["PIP_NO_CACHE_DIR"] == "1"
    assert job["steps"][-1]["if"] == "always()"
    assert job["steps"][-1]["run"].startswith("rm -rf ")


# Guards, evaluated as GitHub does.

REPOSITORY = "owner/ltxbench"


def event(**changes: Any) -> dict[str, Any]:
    github = {"repository": REPOSITORY, "ref": "refs/heads/main", "event_name": "push", "event": {}}
    return {"github": {**github, **changes}, "vars": {"LTXBENCH_RUNNER_REPOSITORY": REPOSITORY}, "inputs": {}}


def on_the_mac(contexts: dict[str, Any]) -> list[str]:
    return [
        name
        for workflow in WORKFLOWS
        for name, job in workflow.self_hosted.items()
        if Evaluator(contexts).condition(job.get("if"))
    ]


def test_main_reaches_the_mac() -> None:
    assert on_the_mac(event()) == ["measure"]
    assert on_the_mac(event(event_name="schedule")) == ["measure"]


@pytest.mark.parametrize(
    "contexts",
    [
        pytest.param({**event(repository="stranger/ltxbench"), "vars": {}}, id="a fork's own main"),
        pytest.param(event(repository="stranger/ltxbench"), id="a copy with this repository's variable"),
        pytest.param({**event(), "vars": {}}, id="no runner was set up"),
        pytest.param({**event(), "vars": {"LTXBENCH_RUNNER_REPOSITORY": ""}}, id="an empty variable"),
        pytest.param(event(ref="refs/pull/1/merge", event_name="pull_request"), id="a pull request"),
        pytest.param(event(ref="refs/heads/topic", event_name="workflow_dispatch"), id="another branch's workflow"),
        pytest.param(event(ref="refs/tags/main", event_name="workflow_dispatch"), id="a tag"),
    ],
)
def test_nothing_else_reaches_the_mac(contexts: dict[str, Any]) -> None:
    assert on_the_mac(contexts) == []


def test_the_mac_is_reached_by_push_schedule_and_hand_alone() -> None:
    for workflow in WORKFLOWS:
        if workflow.self_hosted:
            assert set(workflow.content["on"]) == {"push", "schedule", "workflow_dispatch"}
            assert workflow.content["on"]["push"]["branches"] == ["main"]


@pytest.mark.parametrize(
    ("branch", "reference"),
    [("topic", "refs/heads/topic"), ("", "0" * 40), ("0" * 39 + "1", "refs/heads/" + "0" * 39 + "1")],
)
def test_what_is_measured_is_a_branch_of_this_repository_never_a_bare_hash(branch: str, reference: str) -> None:
    (job,) = BY_NAME["bench"].self_hosted.values()
    contexts = {"inputs": {"branch": branch}, "github": {"sha": "0" * 40}}
    assert Evaluator(contexts).interpolate(job["steps"][0]["with"]["ref"]) == reference


def commented(**changes: Any) -> bool:
    run = {"head_repository": {"full_name": REPOSITORY}, "head_branch": "main", "conclusion": "failure", **changes}
    contexts = {"github": {"repository": REPOSITORY, "event": {"workflow_run": run}}}
    return Evaluator(contexts).condition(BY_NAME["comment"].jobs["comment"]["if"])


def test_a_comment_follows_this_repositorys_main_alone() -> None:
    assert commented()
    assert not commented(head_repository={"full_name": "stranger/ltxbench"})
    assert not commented(head_repository=None)
    assert not commented(head_branch="topic")
    assert not commented(conclusion="skipped")


@pytest.mark.parametrize(
    ("result", "main", "page", "accept", "recorded", "published"),
    [
        ("success", "true", "true", "", True, True),
        ("failure", "true", "true", "", False, True),
        ("failure", "true", "true", "a better picture costs 4%", True, True),
        ("failure", "true", None, "meant", False, False),
        ("success", "false", "true", "", False, False),
        ("success", "false", "true", "meant", False, False),
        ("skipped", None, None, "", False, False),
    ],
)
def test_only_mains_good_or_accepted_runs_become_the_baseline(
    result: str, main: str | None, page: str | None, accept: str, recorded: bool, published: bool
) -> None:
    contexts = {
        "needs": {"measure": {"result": result, "outputs": {"main": main, "page": page}}},
        "inputs": {"accept": accept},
    }
    jobs = BY_NAME["bench"].jobs
    evaluator = Evaluator(contexts)
    evaluator.status.failed = result == "failure"
    assert evaluator.condition(jobs["record"]["if"]) is recorded
    assert evaluator.condition(jobs["publish"]["if"]) is published


def test_stale_documents_and_pages_fail_the_hosted_workflow() -> None:
    assert "make docs-check" in [step.get("run") for step in BY_NAME["ci"].jobs["docs"]["steps"]]


def test_every_target_that_the_workflows_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        target
        for workflow in WORKFLOWS
        for _, step in workflow.steps
        for target in re.findall(r"^make ([\w-]+)", step.get("run", ""), flags=re.MULTILINE)
    } | set(BY_NAME["long"].jobs["run"]["strategy"]["matrix"]["target"])
    assert {"lint", "test", "docs-check", "soak", "fuzz", "simulate"} <= targets
    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
