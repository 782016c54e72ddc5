"""Why a figure cannot be trusted, or only with a remark: each rule has a code, a sentence and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    FAILURE = "failure"
    """The figures are wrong, or cannot be known to be right: INVALID."""
    WARNING = "warning"
    """The figures are what was measured; what follows from them is limited."""


class Code(StrEnum):
    NOT_FINISHED = "not finished"
    SWAPPED = "swap grew"
    THROTTLED = "throttled"
    LOW_POWER = "low-power mode"
    STARVED = "memory sampler starved"
    DISAGREES = "stepped and unstepped totals disagree"
    UNCONFIRMED = "cost of timing unclear"
    DRIFTING = "drifting"
    UNSTEADY = "unsteady"
    SINGLE_SAMPLE = "single sample"
    FEW_ROUNDS = "too few rounds"
    NONDETERMINISTIC = "not deterministic"
    BATTERY = "on battery"
    CANARY = "canary failed"
    DOCTOR_OVERRIDDEN = "doctor overridden"
    CONDITIONING = "conditioning not shared"
    EMBEDDINGS = "embeddings differ"
    NOISE = "initial noise differs"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Reason:
    code: Code
    grade: Grade
    sentence: str
    """With its figures, a sentence by itself but for the case's name."""
    advice: str
    size: float | None = None
    """Of a drift: the share of the median."""

    @property
    def badge(self) -> str:
        return self.code.value


def failure(code: Code, sentence: str, advice: str, size: float | None = None) -> Reason:
    return Reason(code, Grade.FAILURE, sentence, advice, size)


def warning(code: Code, sentence: str, advice: str, size: float | None = None) -> Reason:
    return Reason(code, Grade.WARNING, sentence, advice, size)
