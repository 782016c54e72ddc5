from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from ltxbench.run.engine import Fact
from ltxbench.run.records import Phase


class SilentRecorder:
    """A recorder that times nothing, never waits for the device, and keeps what it is told."""

    def __init__(self, *, stepped: bool = True) -> None:
        self.stepped = stepped
        self.told: dict[str, Fact] = {}
        self.phases: list[Phase] = []
        self.steps: list[tuple[Phase, int]] = []
        """(phase, stage) of each step."""

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        self.phases.append(phase)
        return nullcontext()

    def warm_up(self) -> AbstractContextManager[None]:
        return self.phase(Phase.WARM_UP)

    def step(self, *, stage: int, sigma: float, forwards: int, ahead: bool = False) -> AbstractContextManager[None]:
        self.steps.append((self.phases[-1], stage))
        return nullcontext()

    def facts(self, **facts: Fact) -> None:
        self.told |= facts
