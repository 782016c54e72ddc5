"""What is kept of a run to compare later ones with: samples, hashes and conditions, no videos."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from statistics import median
from typing import Annotated

import numpy as np
from pydantic import Field

from ltxbench.frozen import Frozen

SCHEMA_VERSION = 1
Text = Annotated[str, Field(max_length=4_000)]
Name = Annotated[str, Field(min_length=1, max_length=1_000)]
Sample = Annotated[float, Field(ge=0)]


class Kind(StrEnum):
    RUN = "run"
    PYTEST_BENCHMARK = "pytest-benchmark"


class CaseEntry(Frozen):
    """One case's rounds."""

    name: Name
    outcomes: tuple[str, ...]
    """Of each timed round; empty where none ended."""
    failure: Text | None = None
    """The first one's message."""
    conditions: dict[str, str | None] = {}
    """Fields that must agree with another entry's (trust.comparability)."""
    settings: dict[str, str] = {}
    """What decides the computation, as text."""
    samples: dict[str, tuple[Sample, ...]] = {}
    """By metric (`generation_s`, `mlx_peak_bytes`), one figure a round that finished."""
    frames_sha256: tuple[str, ...] = ()
    """The different videos that came out; more than one is no deterministic case."""
    artifact_score: Sample | None = None
    """Of the frames, where quality was measured."""
    invalid: tuple[Text, ...] = ()
    """Why its times cannot be trusted, in sentences."""

    @cached_property
    def levels(self) -> dict[str, float]:
        """Median over the rounds, by metric."""
        return {metric: median(values) for metric, values in self.samples.items() if values}

    @cached_property
    def fastest(self) -> dict[str, float]:
        """Lower quartile over the rounds, by metric."""
        return {metric: float(np.quantile(values, 0.25)) for metric, values in self.samples.items() if values}


class MachineEntry(Frozen):
    chip: str
    accelerator: str | None = None
    memory_bytes: int | None = None
    os: str


class Entry(Frozen):
    """One file of a baseline."""

    schema_version: int = SCHEMA_VERSION
    kind: Kind
    id: Name
    """The run's; sorts by time."""
    created_utc: str
    matrix: Name
    machine: MachineEntry
    weights: str | None = None
    engine: str | None = None
    commit: str | None = None
    source_sha256: str | None = None
    """Of the run's run.json, or of the benchmark's file."""
    matmul_flops_per_s: Annotated[float, Field(gt=0)] | None = None
    """The machine's own rate before the first case."""
    selected: tuple[str, ...] = ()
    """The cases that were asked for; the others are missing on purpose."""
    cases: tuple[CaseEntry, ...]
    invalid: tuple[Text, ...] = ()
    """Why no time of the run can be trusted."""
    accepts: tuple[str, ...] = ()
    """Cases whose level a maintainer accepted here: earlier entries say nothing about them any more."""
    forced: Text | None = None
    """What objection was overridden when it was added."""

    @cached_property
    def by_name(self) -> dict[str, CaseEntry]:
        return {case.name: case for case in self.cases}

    @property
    def order(self) -> tuple[str, str]:
        return self.created_utc, self.id
