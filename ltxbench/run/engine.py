"""The seam between the runner and whatever makes the video.

The worker process owns one engine and runs one job. The engine says which phase it is in through the recorder,
which takes the time and the memory; the engine never reads a clock itself.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ltxbench.frozen import Frozen
from ltxbench.matrix.case import Case
from ltxbench.run.records import Phase
from ltxbench.weights.files import WeightFiles

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class MlxMemory:
    """MLX's own counters in bytes, None where the engine has none."""

    active_bytes: int | None = None
    cache_bytes: int | None = None
    peak_bytes: int | None = None


class Recorder(Protocol):
    """Handed to the engine. Both context managers synchronise the engine before they read the clock."""

    def phase(self, phase: Phase) -> AbstractContextManager[None]: ...

    def step(self, *, stage: int, sigma: float, forwards: int) -> AbstractContextManager[None]: ...

    def facts(self, **facts: Fact) -> None:
        """Kept in the case's record under these names."""


class EnhanceJob(Frozen):
    prompt: str
    seed: int
    weights: WeightFiles


class GenerateJob(Frozen):
    case: Case
    prompt: str
    """The text to encode, enhancement already done."""
    negative_prompt: str
    weights: WeightFiles


@dataclass(frozen=True)
class Generated:
    frames: npt.NDArray[np.uint8]
    """[F,H,W,3], RGB."""


class Engine(Protocol):
    """The real one runs MLX; the scripted one replays given times, memory and failures."""

    def clock(self) -> float:
        """Seconds, monotonic."""

    def synchronize(self) -> None:
        """Returns when all work handed to the device is done."""

    def memory(self) -> MlxMemory: ...

    def reset_peak(self) -> None: ...

    def enhance(self, job: EnhanceJob, recorder: Recorder) -> str:
        """Returns the enhanced prompt."""

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        """Runs every phase from loading to decoding; exporting is the worker's."""
