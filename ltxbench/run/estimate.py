"""How long the rest of a run will take."""

from __future__ import annotations

from collections.abc import Sequence

from ltxbench.matrix.case import Case, Stage
from ltxbench.run.records import DENOISING, CaseRecord, StepRecord


def step_work(case: Case, stage: Stage) -> float:
    """Work of one step in tokens times forwards."""
    return case.latent_frames * stage.tokens_per_latent_frame * stage.forwards


def case_work(case: Case) -> float:
    return sum(stage.steps * step_work(case, stage) for stage in case.stages)


class Estimate:
    """Denoising is reckoned by its work, what surrounds it by what it took in the cases before."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.total_work = sum(case_work(case) for case in cases)
        self.done_work = 0.0
        """Over all cases; one that fails counts as done."""
        self._left = len(cases)
        self._ended_work = 0.0
        self._current: Case | None = None
        self._step_s = 0.0
        self._step_work = 0.0
        self._around_s: list[float] = []

    def case_started(self, case: Case) -> None:
        self._current = case

    def step_ended(self, step: StepRecord) -> None:
        if self._current is None:
            return
        work = step_work(self._current, self._current.stages[step.stage - 1])
        self._step_s += step.step_s
        self._step_work += work
        self.done_work += work

    def case_ended(self, record: CaseRecord) -> None:
        self._ended_work += case_work(record.case)
        self.done_work = self._ended_work
        self._left -= 1
        self._current = None
        if record.times.wall_s is not None and record.times.generation_s is not None:
            denoising_s = sum(phase.duration_s for phase in record.phases if phase.phase in DENOISING)
            self._around_s.append(max(0.0, record.times.wall_s - denoising_s))

    def remaining_s(self) -> float | None:
        """None until a step was timed."""
        if not self._step_work:
            return None
        around_s = sum(self._around_s) / len(self._around_s) if self._around_s else 0.0
        denoising_s = (self.total_work - self.done_work) * self._step_s / self._step_work
        return denoising_s + self._left * around_s
