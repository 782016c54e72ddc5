"""The real engine at a steady pace, made slower on request: `LTXBENCH_TEST_SLOWDOWN=b=0.10` makes the steps of case
b take 10% longer.

Every denoising step computes what it always does and then sleeps until its pace is reached, as on a device of a fixed
clock: on a machine shared with others the computation by itself varies by half of its time. Product code knows
nothing of the variable.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ltxbench.run.engine import Fact, Generated, GenerateJob, Recorder
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.records import Phase

VARIABLE = "LTXBENCH_TEST_SLOWDOWN"
PACE_S = 0.15


class SlowEngine(MlxEngine):
    def matmul_rate(self, budget_s: float, /) -> None:
        """What the processor can do at the moment says nothing of the pace."""

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        name, _, share = os.environ.get(VARIABLE, "").partition("=")
        slower = float(share) if name == job.case.name else 0.0
        return super().generate(job, Paced(self, recorder, PACE_S * (1 + slower)))


class Paced:
    """A recorder whose steps take this long, if their computation does not take longer."""

    def __init__(self, engine: SlowEngine, recorder: Recorder, pace_s: float) -> None:
        self._engine, self._recorder, self._pace_s = engine, recorder, pace_s

    @property
    def stepped(self) -> bool:
        return self._recorder.stepped

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        return self._recorder.phase(phase)

    def warm_up(self) -> AbstractContextManager[None]:
        return self._recorder.warm_up()

    @contextmanager
    def step(self, *, stage: int, sigma: float, forwards: int, ahead: bool = False) -> Iterator[None]:
        with self._recorder.step(stage=stage, sigma=sigma, forwards=forwards, ahead=ahead):
            until_s = time.perf_counter() + self._pace_s
            yield
            self._engine.synchronize()
            time.sleep(max(0.0, until_s - time.perf_counter()))

    def facts(self, **facts: Fact) -> None:
        self._recorder.facts(**facts)
