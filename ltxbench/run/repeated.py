"""An engine that makes every video twice in one process: what it kept from the first would show in the second."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ltxbench.run.engine import Engine, Fact, Generated, GenerateJob, Recorder
from ltxbench.run.records import GENERATION, Phase
from ltxbench.run.video import frames_sha256

FIRST_FRAMES, SECOND_FRAMES = "first_frames_sha256", "second_frames_sha256"
FIRST_PHASES = "first_generation_phases"
FIRST_LATENT, SECOND_LATENT = "first_latent_sha256", "second_latent_sha256"


class RepeatedEngine:
    """Whatever else is asked of it is the other engine's, so that it is Simulated where that one is.

    The phases of both generations are told one after the other; how many are the first one's is a fact.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        counting = _Counting(recorder)
        first = self._engine.generate(job, counting)
        recorder.facts(**{FIRST_PHASES: counting.phases})
        recorder.facts(**{FIRST_FRAMES: frames_sha256(first.frames), FIRST_LATENT: _latent_sha256(first)})
        del first
        second = self._engine.generate(job, recorder)
        recorder.facts(**{SECOND_FRAMES: frames_sha256(second.frames), SECOND_LATENT: _latent_sha256(second)})
        return second


class _Counting:
    """The recorder, and how many phases of a generation went through it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.phases = 0

    @property
    def stepped(self) -> bool:
        return self._recorder.stepped

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        self.phases += phase in GENERATION
        return self._recorder.phase(phase)

    def warm_up(self) -> AbstractContextManager[None]:
        return self._recorder.warm_up()

    def step(self, *, stage: int, sigma: float, forwards: int, ahead: bool = False) -> AbstractContextManager[None]:
        return self._recorder.step(stage=stage, sigma=sigma, forwards=forwards, ahead=ahead)

    def facts(self, **facts: Fact) -> None:
        self._recorder.facts(**facts)


def _latent_sha256(generated: Generated) -> str | None:
    if generated.latent is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(generated.latent).tobytes()).hexdigest()
