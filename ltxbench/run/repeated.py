"""An engine that makes every video twice in one process: what it kept from the first would show in the second."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ltxbench.run.engine import Engine, Generated, GenerateJob, Recorder
from ltxbench.run.video import frames_sha256

FIRST_FRAMES, SECOND_FRAMES = "first_frames_sha256", "second_frames_sha256"
FIRST_LATENT, SECOND_LATENT = "first_latent_sha256", "second_latent_sha256"


class RepeatedEngine:
    """Whatever else is asked of it is the other engine's, so that it is Simulated where that one is.

    The phases and steps of both generations are told one after the other, equal in number.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        first = self._engine.generate(job, recorder)
        recorder.facts(**{FIRST_FRAMES: frames_sha256(first.frames), FIRST_LATENT: _latent_sha256(first)})
        del first
        second = self._engine.generate(job, recorder)
        recorder.facts(**{SECOND_FRAMES: frames_sha256(second.frames), SECOND_LATENT: _latent_sha256(second)})
        return second


def _latent_sha256(generated: Generated) -> str | None:
    if generated.latent is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(generated.latent).tobytes()).hexdigest()
