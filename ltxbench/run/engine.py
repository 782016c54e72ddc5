"""The seam between the runner and whatever makes the video.

The worker process owns one engine and runs one job. The engine says which phase it is in through the recorder,
which takes the time and the memory; the engine never reads a clock itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ltxbench.errors import LtxbenchError, UsageError
from ltxbench.frozen import Frozen
from ltxbench.matrix.case import Case
from ltxbench.measure.footprint import Footprint
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import MatmulRate, Phase
from ltxbench.weights.files import WeightFiles

Fact = str | int | float | bool | None


def imported(name: str) -> bool:
    """An engine named `PACKAGE.MODULE:CLASS`: somebody else's, made without arguments."""
    module, _, kind = name.partition(":")
    return "." in module and kind.isidentifier() and all(part.isidentifier() for part in module.split("."))


def check_name(name: str) -> None:
    """Raises UsageError for an engine that there is not: none is taken for the real one."""
    if name != "mlx" and not name.startswith("scripted:") and not imported(name):
        raise UsageError(f"no engine {name!r}", hint="There are mlx, scripted:FILE and PACKAGE.MODULE:CLASS.")


class InvalidOutput(LtxbenchError):
    """What was computed is no video: NaN or infinity in the latents, blank frames. The case ends as `invalid`."""


@dataclass(frozen=True)
class MlxMemory:
    """MLX's own counters in bytes, None where the engine has none."""

    active_bytes: int | None = None
    cache_bytes: int | None = None
    peak_bytes: int | None = None


class Recorder(Protocol):
    """Handed to the engine. Phases and steps synchronise it before they read the clock; a step can be told not to."""

    @property
    def stepped(self) -> bool:
        """Steps are timed one by one; where not, the engine evaluates a stage as it likes, and `step` does nothing."""

    def phase(self, phase: Phase) -> AbstractContextManager[None]: ...

    def warm_up(self) -> AbstractContextManager[None]:
        """Around work that is thrown away: a phase WARM_UP, in which steps are legal and kept apart as cold ones.

        An engine enters it only when the job asks for it, between other phases, as often as it likes.
        """

    def step(self, *, stage: int, sigma: float, forwards: int, ahead: bool = False) -> AbstractContextManager[None]:
        """Around one denoising step, within DENOISE_1, DENOISE_2 or WARM_UP.

        `ahead` is for an engine that hands work over before what precedes it is done: it enters when nothing before
        this step is left to compute, and leaves when this step's latent is computed, whatever waits behind it.
        """

    def facts(self, **facts: Fact) -> None:
        """Kept in the case's record under these names."""


class EnhanceJob(Frozen):
    prompt: str
    seed: int
    weights: WeightFiles


class MatmulJob(Frozen):
    """Measure the machine's own rate of arithmetic."""

    matmul_budget_s: float
    """About how long that may take."""


class SurveyJob(Frozen):
    """Say what the cases will need, without loading anything."""

    cases: tuple[Case, ...]
    weights: WeightFiles


class GenerateJob(Frozen):
    case: Case
    prompt: str
    """The text to encode, enhancement already done."""
    negative_prompt: str
    weights: WeightFiles
    warm_up: bool = False
    """Run the first of each kind of work once more beforehand, thrown away, so that no kernel is compiled in what is
    timed: a text encoding, one step a stage, upscaling, a decoding."""
    instrumented: bool = True
    """False: neither step timer nor memory sampler; phases are timed all the same."""
    lossless: bool = False
    """Keep the frames without loss as well."""
    known_frames: tuple[str, ...] = ()
    """sha256 of frames that an earlier round keeps: the same ones are not kept again."""


@dataclass(frozen=True)
class Generated:
    frames: npt.NDArray[np.uint8]
    """[F,H,W,3], RGB."""
    latent: npt.NDArray[np.float32] | None = None
    """[1,C,F,H,W], normalised, as it was decoded; None where there is none."""


class Engine(Protocol):
    """The real one runs MLX; the scripted one replays given times, memory and failures."""

    def accelerator(self) -> str | None:
        """Name of the GPU that it computes on, None on the CPU."""

    def clock(self) -> float:
        """Seconds, monotonic."""

    def synchronize(self) -> None:
        """Returns when all work handed to the device is done."""

    def memory(self) -> MlxMemory: ...

    def reset_peak(self) -> None: ...

    def matmul_rate(self, budget_s: float, /) -> MatmulRate | None:
        """The machine's own, measured in about `budget_s`; None where nothing is really computed."""

    def survey(self, job: SurveyJob) -> Survey:
        """The memory that cases need, and that there is. Raises WeightsError for weights that cannot be opened."""

    def enhance(self, job: EnhanceJob, recorder: Recorder) -> str:
        """Returns the enhanced prompt."""

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        """Runs every phase from loading to decoding; exporting is the worker's."""


@runtime_checkable
class Simulated(Protocol):
    """An engine whose time and memory are made up: it drives the sampler and stands in for the process's counters."""

    def every(self, interval_s: float, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls back at every interval of the engine's own clock while the context is open."""

    def footprint(self) -> Footprint: ...
