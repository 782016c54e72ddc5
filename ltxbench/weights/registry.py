"""The published files by name: where they are, how large, under which licence. Read from registry.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field, model_validator

from ltxbench.errors import UsageError
from ltxbench.frozen import Frozen
from ltxbench.matrix.case import Case, LoraUse

COMMIT = re.compile(r"[0-9a-f]{40}")
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

GEMMA_FILES = ("*.json", "*.safetensors")
"""What is needed of a text encoder's repository."""


class Repository(Frozen):
    revision: Commit | None
    """None: not pinned; the first download records what `main` was."""
    licence: str
    licence_url: str
    gated: bool


class Model(Frozen):
    repository: str
    file: str | None
    """None: a folder, the repository's configuration, tokenizer and weights."""
    what: str
    size_bytes: int | None
    about_bytes: int
    sha256: Sha256 | None


class Registry(Frozen):
    repositories: dict[str, Repository]
    models: dict[str, Model]

    @model_validator(mode="after")
    def _complete(self) -> Registry:
        for name, model in self.models.items():
            if model.repository not in self.repositories:
                raise ValueError(f"model {name}: repository {model.repository} is not listed")
        return self

    def repository(self, name: str) -> Repository:
        return self.repositories[self.models[name].repository]

    def checked(self, names: Iterable[str]) -> list[str]:
        """The names, each once. Raises UsageError for one that is not in the registry."""
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            if name not in self.models:
                raise UsageError(f"{name!r} is no model", hint=f"Models: {', '.join(self.models)}.")
        return chosen


@cache
def registry() -> Registry:
    return Registry.model_validate(yaml.safe_load(files("ltxbench.weights").joinpath("registry.yaml").read_text()))


def needed(cases: Iterable[Case]) -> list[str]:
    """Names of the models that these cases read, in the registry's order."""
    wanted = {"gemma"}
    for case in cases:
        wanted.add(case.model.value)
        if case.distilled_lora is not LoraUse.NONE:
            wanted.add("distilled-lora")
        if case.two_stage:
            wanted.add("upscaler")
    return [name for name in registry().models if name in wanted]
