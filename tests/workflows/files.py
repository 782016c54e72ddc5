"""The workflow files, parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"


class Loader(yaml.SafeLoader):
    """YAML 1.2 as GitHub reads it: `on` is a key and not true."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


@dataclass(frozen=True)
class Workflow:
    path: Path
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return dict(self.content["jobs"])

    @property
    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Each with its job's name."""
        return [(name, step) for name, job in self.jobs.items() for step in job["steps"]]

    @property
    def self_hosted(self) -> dict[str, dict[str, Any]]:
        return {name: job for name, job in self.jobs.items() if "self-hosted" in str(job["runs-on"])}


def read(path: Path) -> Workflow:
    return Workflow(path, yaml.load(path.read_text(), Loader))


WORKFLOWS = [read(path) for path in sorted(FOLDER.glob("*.y*ml"))]
BY_NAME = {workflow.name: workflow for workflow in WORKFLOWS}
