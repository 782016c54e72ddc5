"""The real engine, made slower on request: `LTXBENCH_TEST_SLOWDOWN=b=0.10` adds 10% to every denoising step of case b.

It measures in CPU time at a fixed speed: before and after each step a small computation of known cost shows how fast
the processor is just then, which on a shared machine changes from second to second. What the variable adds is real work.
Product code knows nothing of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import mlx.core as mx

from ltxbench.run.engine import Fact, Generated, GenerateJob, Recorder
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.records import Phase

VARIABLE = "LTXBENCH_TEST_SLOWDOWN"
CALIBRATION_S = 0.01
"""What the known computation counts for."""


class SlowEngine(MlxEngine):
    def __init__(self) -> None:
        super().__init__()
        self._cpu_s = time.process_time()
        self._time_s = 0.0
        self._speed = 1.0

    def clock(self) -> float:
        now = time.process_time()
        self._time_s, self._cpu_s = self._time_s + (now - self._cpu_s) * self._speed, now
        return self._time_s

    def calibrate(self) -> float:
        """The processor's speed just now; the clock stands still meanwhile."""
        self.clock()
        start = time.process_time()
        known = mx.ones((8, 128)) * 0.01
        for _ in range(60):
            known = mx.tanh(known @ WEIGHTS)
            mx.eval(known)
        self._cpu_s = time.process_time()
        return CALIBRATION_S / (self._cpu_s - start)

    def set_speed(self, speed: float) -> None:
        self.clock()
        self._speed = speed

    def correct(self, since_s: float, speed: float) -> None:
        """The stretch since `since_s` went at the mean of the speeds before and after it."""
        self._time_s = since_s + (self.clock() - since_s) * (self._speed + speed) / 2 / self._speed

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        name, _, share = os.environ.get(VARIABLE, "").partition("=")
        return super().generate(job, Slow(self, recorder, float(share) if name == job.case.name else 0.0))


WEIGHTS = mx.ones((128, 128)) * 0.01


class Slow:
    """A recorder whose steps take longer by `share` of what they took."""

    def __init__(self, engine: SlowEngine, recorder: Recorder, share: float) -> None:
        self._engine, self._recorder, self._share = engine, recorder, share

    @property
    def stepped(self) -> bool:
        return self._recorder.stepped

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        return self._recorder.phase(phase)

    def warm_up(self) -> AbstractContextManager[None]:
        return self._recorder.warm_up()

    @contextmanager
    def step(self, *, stage: int, sigma: float, forwards: int) -> Iterator[None]:
        self._engine.set_speed(self._engine.calibrate())
        with self._recorder.step(stage=stage, sigma=sigma, forwards=forwards):
            start_s, cpu_s = self._engine.clock(), time.process_time()
            yield
            mx.synchronize()
            until_s = time.process_time() + self._share * (time.process_time() - cpu_s)
            while time.process_time() < until_s:
                pass
            self._engine.correct(start_s, self._engine.calibrate())

    def facts(self, **facts: Fact) -> None:
        self._recorder.facts(**facts)
