"""What `ltxbench check` says, as it is stored in verdict.json."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import Field

import ltxbench
from ltxbench.errors import InvalidMeasurement, LtxbenchError, Regression
from ltxbench.frozen import Frozen

SCHEMA_VERSION = 1


class Answer(StrEnum):
    REGRESSED = "regressed"
    IMPROVED = "improved"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    MISSING = "missing"
    """The baseline knows nothing of it yet."""


SEVERITY = (
    Answer.REGRESSED,
    Answer.NOT_COMPARABLE,
    Answer.INCONCLUSIVE,
    Answer.IMPROVED,
    Answer.SAME,
    Answer.MISSING,
)
OPEN = (Answer.INCONCLUSIVE, Answer.NOT_COMPARABLE, Answer.MISSING)


def gravest(answers: Iterable[Answer]) -> Answer:
    """MISSING where there is none."""
    return min(answers, key=SEVERITY.index, default=Answer.MISSING)


class Rerun(Frozen):
    """What the repetition of a suspected case showed."""

    runs: tuple[str, ...]
    """A second one where the first did not settle it."""
    controls: tuple[str, ...]
    """Cases that were not suspected and ran in between."""
    ratio: float
    p: float
    confirmed: bool


class MetricVerdict(Frozen):
    metric: str
    """`outcome`, `generation_s`, `step_1_s`, `load_s`, `mlx_peak_bytes`, `frames`, `artifact_score`, ..."""
    title: str
    answer: Answer
    sentence: str
    old: float | None = None
    """The window's level, in the metric's unit."""
    new: float | None = None
    ratio: float | None = None
    """New over old, as it was tested."""
    low: float | None = None
    high: float | None = None
    """95% interval of this ratio by itself."""
    p: float | None = None
    """After Holm's correction over all times of the check."""
    threshold: float | None = None
    runs: int = 0
    """Of the window."""
    latest: int | None = None
    """How many of the latest runs were tested together, this one included."""
    test: str | None = None
    """`alone`, `beside the other cases`, or `all cases together`."""
    suspected: bool = False
    """It was flagged, whatever the answer became."""
    rerun: Rerun | None = None


class CaseVerdict(Frozen):
    name: str
    metrics: tuple[MetricVerdict, ...]

    @property
    def answer(self) -> Answer:
        return gravest(each.answer for each in self.metrics)


class Verdict(Frozen):
    schema_version: int = SCHEMA_VERSION
    ltxbench_version: str = Field(default_factory=lambda: ltxbench.__version__)
    created_utc: str = Field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    run: str
    matrix: str
    baseline: tuple[str, ...]
    """Ids of the runs that at least one case was compared with."""
    answer: Answer
    strict: bool = False
    exit_code: int
    cases: tuple[CaseVerdict, ...]
    notes: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether there was a check at all."""
        return self.exit_code in (0, InvalidMeasurement.exit_code, Regression.exit_code)

    @property
    def regressed(self) -> tuple[tuple[str, MetricVerdict], ...]:
        return tuple(
            (case.name, each) for case in self.cases for each in case.metrics if each.answer is Answer.REGRESSED
        )


def not_judged(run: str, error: LtxbenchError, *, strict: bool = False) -> Verdict:
    """What is left of a check that could not be made, so that no earlier verdict is taken for its own."""
    return Verdict(
        run=run,
        matrix="",
        baseline=(),
        answer=Answer.INCONCLUSIVE,
        strict=strict,
        exit_code=error.exit_code,
        cases=(),
        notes=(". ".join(filter(None, (error.message, error.hint))),),
    )


def exit_code(cases: Iterable[CaseVerdict], *, strict: bool) -> int:
    """8 for a change for the worse; with `strict`, 7 where anything is left open."""
    answers = {each.answer for case in cases for each in case.metrics}
    if Answer.REGRESSED in answers:
        return Regression.exit_code
    if strict and (not answers or answers & set(OPEN)):
        return InvalidMeasurement.exit_code
    return 0
