"""Runs a job's steps here, in order, as a runner does: bash, files for outputs and path, conditions, artifacts.

What cannot be had here is replaced, and nothing else: GitHub's actions (by copying files, or pushing to a repository on
disk), pip's downloads (this Python has the packages), and macOS's caffeinate.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.workflows.expressions import Evaluator, Status
from tests.workflows.files import ROOT, Workflow

TREE = ("ltxbench", "tests", "matrices", "docs", ".github", "Makefile", "README.md", "pyproject.toml")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "fixtures")
STEP_LIMIT_S = 600
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false")
PIP = """if [ "$1" = -m ] && [ "$2" = pip ]; then
  [ "$3" = install ] || exit 1
  for last; do :; done
  case $last in .) exec test -f pyproject.toml ;; -*) exit 1 ;; *) exit 0 ;; esac
fi
"""
VENV = """if [ "$1" = -m ] && [ "$2" = venv ]; then mkdir -p "$3" && cp -R "{programs}" "$3/bin"; exit; fi
"""


@dataclass
class Ended:
    """One step's end."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass
class Result:
    result: str
    outputs: dict[str, str | None]
    steps: dict[str, Ended]
    summary: str

    @property
    def text(self) -> str:
        return "\n".join(f"--- {name}: {step.outcome}\n{step.text}" for name, step in self.steps.items())


@dataclass
class Machine:
    """A runner and the server it talks to, in one folder."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    script: str | None = None
    """Times and memory for the scripted engine, as JSON; None: the real engine, and the real doctor."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What make is given besides, to do less."""
    repository: str = "owner/ltxbench"

    def __post_init__(self) -> None:
        self.artifacts = self.folder / "artifacts"
        self.programs = self.folder / "programs"
        self.origin = self.folder / "server" / self.repository
        self.programs.mkdir(parents=True)
        self.play(self.script)
        self.program("python", f'{PIP}exec "{sys.executable}" "$@"')
        self.program("python3", f'{VENV.format(programs=self.programs)}{PIP}exec "{sys.executable}" "$@"')
        self.program("caffeinate", 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"')

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def play(self, script: str | None, doctor: int = 0) -> None:
        """What `ltxbench` is from now on; with a script, `doctor` is the exit code of its examination."""
        scripted = ""
        if script is not None:
            file = self.folder / "script.json"
            file.write_text(script)
            scripted = (
                f'case $1 in doctor) exit {doctor} ;; bench | check) set -- "$@" --engine "scripted:{file}" ;; esac\n'
            )
        self.program("ltxbench", f'{scripted}exec "{sys.executable}" -P -m ltxbench "$@"')

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        command = (*GIT, *arguments)
        done = subprocess.run(command, cwd=cwd or self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def begin_branch(self, name: str, files: Mapping[str, str]) -> None:
        """A branch of its own history on the server, as docs/self-hosted-runner.md has it made."""
        if not self.origin.exists():
            self.git("init", "--quiet", "--bare", str(self.origin))
        source = self.folder / f"source-{name}"
        source.mkdir()
        self.git("init", "--quiet", f"--initial-branch={name}", cwd=source)
        for file, text in files.items():
            (source / file).write_text(text)
        self.git("add", ".", cwd=source)
        self.git("commit", "--quiet", "--message", "begin", cwd=source)
        self.git("push", "--quiet", str(self.origin), name, cwd=source)

    def run(self, workflow: Workflow, job: str, **contexts: Any) -> Result:
        return _Job(self, workflow, job, contexts).run()


class _Job:
    def __init__(self, machine: Machine, workflow: Workflow, name: str, contexts: dict[str, Any]) -> None:
        self.machine, self.workflow, self.job = machine, workflow, workflow.jobs[name]
        self.place = machine.folder / f"{workflow.name}-{name}-{len(list(machine.folder.iterdir()))}"
        self.workspace = self.place / "workspace"
        self.temporary = self.place / "temporary"
        self.workspace.mkdir(parents=True)
        self.temporary.mkdir()
        self.path = [str(machine.programs)]
        self.ended: dict[str, Ended] = {}
        self.steps: dict[str, dict[str, Any]] = {}
        self.status = Status()
        github = {
            "repository": machine.repository,
            "ref": "refs/heads/main",
            "sha": "0" * 40,
            "server_url": f"file://{machine.folder}/server",
            "workspace": str(self.workspace),
            "token": "t0ken",
            "run_number": 7,
            **contexts.pop("github", {}),
        }
        self.contexts: dict[str, Any] = {
            "github": github,
            "vars": machine.variables,
            "inputs": {},
            "runner": {"os": "Linux"},
            "matrix": {},
            "needs": {},
            "steps": self.steps,
            **contexts,
        }
        self.evaluator = Evaluator(self.contexts, self.status)
        self.summary = self.place / "summary.md"
        self.summary.touch()

    def run(self) -> Result:
        needed = self.contexts["needs"].values()
        outer = Evaluator(self.contexts, Status(failed=any(each["result"] != "success" for each in needed)))
        if not outer.condition(self.job.get("if")):
            return Result("skipped", {}, {}, "")
        for index, step in enumerate(self.job["steps"]):
            label = str(step.get("id") or step.get("name") or step.get("run") or f"{step['uses']} ({index})")
            ended = self.step(step) if self.evaluator.condition(step.get("if")) else Ended("skipped")
            self.ended[label] = ended
            if "id" in step:
                self.steps[step["id"]] = {"outcome": ended.outcome, "outputs": ended.outputs}
            if ended.outcome == "failure" and not step.get("continue-on-error"):
                self.status.failed = True
        outputs = {key: self.evaluator.value(text[3:-2]) for key, text in self.job.get("outputs", {}).items()}
        result = "failure" if self.status.failed else "success"
        return Result(result, outputs, self.ended, self.summary.read_text())

    def environment_of(self, step: Mapping[str, Any]) -> dict[str, str]:
        github = self.contexts["github"]
        given: dict[str, str] = {}
        for level in (self.workflow.content, self.job, step):
            for key, text in level.get("env", {}).items():
                given[key] = Evaluator({**self.contexts, "env": given}).interpolate(text)
        return {
            "HOME": str(self.place),
            "PATH": os.pathsep.join((*self.path, os.environ["PATH"])),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{key: os.environ[key] for key in ("LTXBENCH_CACHE", "HF_HOME", "HF_HUB_OFFLINE") if key in os.environ},
            **self.machine.environment,
            **given,
            "CI": "true",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temporary),
        }

    def step(self, step: dict[str, Any]) -> Ended:
        if "uses" in step:
            action = step["uses"].partition("@")[0].replace("/", "_").replace("-", "_")
            environment = self.environment_of(step)
            evaluator = Evaluator({**self.contexts, "env": environment}, self.status)
            given = {key: evaluator.interpolate(text) for key, text in step.get("with", {}).items()}
            problem = getattr(self, action)(given)
            return Ended("failure" if problem else "success", {"page_url": "https://pages"}, problem or "")
        files = {name: self.place / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.workspace / step.get("working-directory", "."),
            env={**self.environment_of(step), **{name: str(file) for name, file in files.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_LIMIT_S,
        )
        self.path[:0] = files["GITHUB_PATH"].read_text().split()
        pairs = (line.partition("=") for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        outputs = {key: value for key, _, value in pairs}
        return Ended("success" if done.returncode == 0 else "failure", outputs, f"{done.stdout}exit {done.returncode}")

    # What stands for GitHub's actions: each says what was wrong, or nothing.

    def actions_checkout(self, given: Mapping[str, str]) -> str | None:
        if "path" in given:
            target = self.workspace / given["path"]
            self.machine.git("clone", "--quiet", "--branch", given["ref"], str(self.machine.origin), str(target))
            return None
        for name in TREE:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.workspace / name, ignore=SKIPPED)
            else:
                shutil.copy2(ROOT / name, self.workspace / name)
        (self.workspace / "reports").mkdir()
        for page in (ROOT / "reports").iterdir():
            if page.name != "smoke":
                (self.workspace / "reports" / page.name).symlink_to(page)
        for file in self.machine.folder.glob("checkout/*"):
            shutil.copytree(file, self.workspace / file.name, dirs_exist_ok=True)
        self.machine.git("init", "--quiet", cwd=self.workspace)
        self.machine.git("commit", "--quiet", "--allow-empty", "--message", "measured", cwd=self.workspace)
        # The Makefile's environment, as pip would have made it.
        shutil.copytree(self.machine.programs, self.workspace / ".venv" / "bin")
        for stamp in (".installed", ".installed-dev", ".installed-browser"):
            (self.workspace / ".venv" / stamp).touch()
        return None

    def actions_setup_python(self, given: Mapping[str, str]) -> str | None:
        return None if given.get("python-version") else "no version"

    def actions_upload_artifact(self, given: Mapping[str, str]) -> str | None:
        target = self.machine.artifacts / given["name"]
        shutil.rmtree(target, ignore_errors=True)
        paths = [self.workspace / line for line in given["path"].split()]
        found = [path for path in paths if path.exists()]
        if not found:
            return f"No files were found with the provided path: {given['path']}"
        # Paths are kept below what they have in common, as the action does.
        root = (
            paths[0] if len(paths) == 1 and paths[0].is_dir() else Path(os.path.commonpath([p.parent for p in paths]))
        )
        for path in found:
            if path.is_dir():
                shutil.copytree(path, target / path.relative_to(root), dirs_exist_ok=True)
            else:
                (target / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target / path.relative_to(root))
        return None

    def actions_download_artifact(self, given: Mapping[str, str]) -> str | None:
        source = self.machine.artifacts / given["name"]
        if not source.exists():
            return "Artifact not found"
        shutil.copytree(source, self.workspace / given["path"], dirs_exist_ok=True)
        return None

    def actions_upload_pages_artifact(self, given: Mapping[str, str]) -> str | None:
        page = self.workspace / given["path"]
        if not (page / "index.html").is_file():
            return f"{page} has no index.html"
        shutil.copytree(page, self.machine.artifacts / "github-pages", dirs_exist_ok=True)
        return None

    def actions_deploy_pages(self, given: Mapping[str, str]) -> str | None:
        return None if (self.machine.artifacts / "github-pages").exists() else "nothing to deploy"
