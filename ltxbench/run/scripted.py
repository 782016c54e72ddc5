"""The scripted engine: a virtual clock, given times and memory, given failures, real frames.

It runs through the real worker, supervisor and store, so that these, and the pages made from their records, are tested
without a model.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ltxbench.matrix.case import Case
from ltxbench.measure.footprint import Footprint
from ltxbench.run.engine import EnhanceJob, Generated, GenerateJob, InvalidOutput, MlxMemory, Recorder, SurveyJob
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import DENOISING, MatmulRate, Phase
from ltxbench.run.script import Fault, Level, Picture, Script

WARMED_UP = (Phase.ENCODE, Phase.DENOISE_1, Phase.UPSCALE, Phase.DENOISE_2, Phase.DECODE)

WATCHDOG_TEXT = (
    "libc++abi: terminating due to uncaught exception of type std::runtime_error: [METAL] Command buffer execution "
    "failed: Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)"
)


class ScriptedEngine:
    """An Engine, and Simulated."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._case = script.default
        self._now_s = 0.0
        self._ticks: list[tuple[float, Callable[[], None]]] = []
        self._level: Level | None = None
        self._peak_bytes = 0
        self._footprint_peak_bytes = 0
        self._generations = 0

    def accelerator(self) -> str | None:
        return self._script.accelerator

    def clock(self) -> float:
        return self._now_s

    def synchronize(self) -> None:
        """Virtual work is done at once."""

    def memory(self) -> MlxMemory:
        level = self._level
        if level is None:
            return MlxMemory(active_bytes=0, cache_bytes=0, peak_bytes=self._peak_bytes)
        return MlxMemory(level.active_bytes, level.cache_bytes, self._peak_bytes)

    def reset_peak(self) -> None:
        self._peak_bytes = 0

    def footprint(self) -> Footprint:
        now = self._level.footprint_bytes if self._level else 0
        return Footprint(now, self._footprint_peak_bytes, source="scripted", peak_source="scripted")

    @contextmanager
    def every(self, interval_s: float, callback: Callable[[], None]) -> Iterator[None]:
        tick = (interval_s, callback)
        self._ticks.append(tick)
        try:
            yield
        finally:
            self._ticks.remove(tick)

    def matmul_rate(self, _budget_s: float, /) -> MatmulRate | None:
        return self._script.matmul

    def survey(self, job: SurveyJob) -> Survey:
        """As scripted, of the cases that were asked for."""
        names = {case.name for case in job.cases}
        survey = self._script.survey
        return survey.model_copy(update={"needs": tuple(need for need in survey.needs if need.case in names)})

    def enhance(self, job: EnhanceJob, recorder: Recorder) -> str:
        recorder.facts(engine="scripted", seed=job.seed)
        for phase in (Phase.LOAD, Phase.ENHANCE):
            with recorder.phase(phase):
                self._spend(phase)
        return self._script.enhanced

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        case = job.case
        self._case = self._script.cases.get(case.name, self._script.default)
        self._generations += 1
        recorder.facts(**{"engine": "scripted", **self._case.facts})
        for phase in _phases(case):
            if job.warm_up and phase in WARMED_UP:
                self._warm_up(case, phase, recorder)
            with recorder.phase(phase):
                if phase in DENOISING:
                    self._denoise(case, phase, recorder, warm=job.warm_up)
                else:
                    self._spend(phase)
        frames = self._frames(case, recorder)
        failure = self._case.failure
        if failure is not None and failure.kind is Fault.BLACK:
            frames[:] = 0
        return Generated(frames=frames)

    def _frames(self, case: Case, recorder: Recorder) -> npt.NDArray[np.uint8]:
        match self._case.picture:
            case Picture.SEEDED:
                return moving_gradient(case)
            case Picture.UNSEEDED:
                return moving_gradient(case.model_copy(update={"seed": 0}))
            case Picture.CHANGING:
                return moving_gradient(case) ^ np.uint8(os.getpid() & 0xFF) ^ np.uint8(self._generations & 1)
            case Picture.STEPPED:
                return moving_gradient(case) ^ np.uint8(recorder.stepped)

    def _warm_up(self, case: Case, phase: Phase, recorder: Recorder) -> None:
        with recorder.warm_up():
            self._enter(phase)
            self._fail(Phase.WARM_UP, 0)
            if phase in DENOISING:
                stage = case.stages[DENOISING.index(phase)]
                with recorder.step(stage=stage.index, sigma=1.0, forwards=stage.forwards):
                    self._advance(self._cold_s(case, phase))
            else:
                self._advance(self._case.phases.get(phase, 0.5))

    def _denoise(self, case: Case, phase: Phase, recorder: Recorder, *, warm: bool) -> None:
        stage = case.stages[DENOISING.index(phase)]
        for index in range(stage.steps):
            sigma = 1 - index / stage.steps
            with recorder.step(stage=stage.index, sigma=sigma, forwards=stage.forwards):
                self._enter(phase)
                self._fail(phase, index)
                cold = index == 0 and not warm
                self._advance(self._cold_s(case, phase) if cold else self._step_s(case, phase, index))

    def _step_s(self, case: Case, phase: Phase, index: int) -> float:
        before = sum(earlier.steps for earlier in case.stages[: DENOISING.index(phase)])
        return self._case.steps[min(before + index, len(self._case.steps) - 1)]

    def _cold_s(self, case: Case, phase: Phase) -> float:
        return self._step_s(case, phase, 0) if self._case.cold is None else self._case.cold

    def _spend(self, phase: Phase) -> None:
        self._enter(phase)
        self._fail(phase, 0)
        self._advance(self._case.phases.get(phase, 0.5))

    def _enter(self, phase: Phase) -> None:
        self._level = self._case.memory.get(phase, Level())
        self._peak_bytes = max(self._peak_bytes, self._level.peak_bytes)
        self._footprint_peak_bytes = max(self._footprint_peak_bytes, self._level.footprint_bytes)

    def _advance(self, duration_s: float) -> None:
        """Moves the clock, stopping wherever a tick is due."""
        end_s = self._now_s + duration_s * (self._case.repeated_share if self._generations > 1 else 1)
        while self._ticks:
            interval_s, callback = self._ticks[0]
            due_s = (math.floor(self._now_s / interval_s + 1e-9) + 1) * interval_s
            if due_s > end_s:
                break
            self._wait_until(due_s)
            callback()
        self._wait_until(end_s)

    def _wait_until(self, when_s: float) -> None:
        if self._case.pace:
            time.sleep((when_s - self._now_s) * self._case.pace)
        self._now_s = when_s

    def _fail(self, phase: Phase, step: int) -> None:
        failure = self._case.failure
        if failure is None or failure.phase is not phase or (phase in DENOISING and failure.step != step):
            return
        match failure.kind:
            case Fault.RAISE:
                raise ValueError("scripted failure")
            case Fault.OUT_OF_MEMORY:
                raise RuntimeError("[metal::malloc] Attempting to allocate 85899345920 bytes")
            case Fault.ALLOCATE:
                _allocate_until_there_is_no_more()
            case Fault.WATCHDOG:
                print(WATCHDOG_TEXT, file=sys.stderr, flush=True)
                os.abort()
            case Fault.BLACK:
                pass  # shows in the frames
            case Fault.NAN:
                raise InvalidOutput(f"the latent holds NaN after step {step}")
            case Fault.DISK_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case Fault.HANG:
                time.sleep(3600)
            case Fault.KILL:
                os.kill(os.getpid(), failure.amount or signal.SIGKILL)
            case Fault.EXIT:
                os._exit(failure.amount)
            case Fault.FORK:
                if os.fork() == 0:
                    time.sleep(3600)
                    os._exit(0)
            case Fault.PRINT:
                line = "scripted output ".ljust(79, ".") + "\n"
                for _ in range(failure.amount // len(line)):
                    sys.stdout.write(line)
                sys.stdout.flush()


def _allocate_until_there_is_no_more() -> None:
    """Raises MemoryError as the system's own allocator does."""
    import resource

    spare = 256 << 20
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + spare, resource.RLIM_INFINITY))
    blocks = []
    while True:
        blocks.append(np.ones(spare // 16, np.uint8))


def _phases(case: Case) -> list[Phase]:
    """In the order of the real pipeline."""
    phases = [Phase.LOAD, Phase.ENCODE, Phase.LOAD]
    if case.distilled_lora == "all" or case.loras:
        phases.append(Phase.LORA)
    if case.quantization.bits is not None:
        phases.append(Phase.QUANTIZE)
    phases.append(Phase.DENOISE_1)
    if case.two_stage:
        phases += [Phase.UPSCALE, Phase.DENOISE_2]
    return [*phases, Phase.DECODE]


def moving_gradient(case: Case) -> npt.NDArray[np.uint8]:
    """[F,H,W,3]: a diagonal gradient that moves, its colour drawn from the seed and the name."""
    generator = np.random.Generator(np.random.Philox(key=[case.seed, sum(case.name.encode())]))
    colour = generator.uniform(0.4, 1.0, size=3).astype(np.float32)
    across = np.linspace(0, 1, case.width, dtype=np.float32)
    down = np.linspace(0, 1, case.height, dtype=np.float32)
    diagonal = across[None, :] + down[:, None]
    frames = np.empty((case.frames, case.height, case.width, 3), np.uint8)
    for index in range(case.frames):
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * (diagonal - index / case.frames))
        frames[index] = np.rint(255 * wave[..., None] * colour)
    return frames
