"""What a matrix says about changes between runs: how much is too much, by metric and by case."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from ltxbench.frozen import Frozen

Off = Literal["off"]
Limit = float | Off


class Thresholds(Frozen):
    """None is "not said". Shares unless told otherwise: 0.03 is 3%."""

    generation: Limit | None = None
    step: Limit | None = None
    load: Limit | None = None
    memory: Limit | None = None
    """MLX's peak."""
    footprint: Limit | None = None
    """The process's peak."""
    frames: float | Literal["equal", "off"] | None = None
    """A number is the lowest PSNR in dB that frames may have against the baseline's."""
    quality: Limit | None = None
    """How much the artifact score may grow."""

    def over(self, other: Thresholds) -> Thresholds:
        """`other` with whatever is said here."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


DEFAULTS = Thresholds(generation=0.03, step=0.03, load=0.10, memory=0.02, footprint=0.05, frames="equal", quality=0.25)


class CaseGate(Frozen):
    case: str
    """A case's name, in which * stands for anything."""
    thresholds: Thresholds


class Gate(Frozen):
    thresholds: Thresholds = Thresholds()
    cases: tuple[CaseGate, ...] = ()
    """In the order of the file; a later one holds over an earlier one."""

    def of(self, case: str) -> Thresholds:
        """Everything said."""
        found = self.thresholds.over(DEFAULTS)
        for each in self.cases:
            if fnmatchcase(case, each.case):
                found = each.thresholds.over(found)
        return found
