"""How long a case, and each phase of it, may take."""

from __future__ import annotations

from dataclasses import dataclass

from ltxbench.frozen import Frozen
from ltxbench.run.records import Phase


@dataclass(frozen=True)
class Limit:
    """How long something may take."""

    seconds: float
    phase: Phase | None = None
    """None: the whole job."""


class PhaseLimits(Frozen):
    """How long one stretch of a phase may take, in seconds."""

    every_s: float | None = None
    """Of any phase that is not named."""
    named_s: dict[Phase, float] = {}

    def of(self, phase: Phase) -> float | None:
        return self.named_s.get(phase, self.every_s)
