"""Figures that are derived from a case's record. None wherever the record does not carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ltxbench.run.records import DENOISING, CaseRecord, Outcome, Phase, StepRecord

PHASE_TITLES = {
    Phase.LOAD: "Reading weights",
    Phase.WARM_UP: "Warm-up",
    Phase.QUANTIZE: "Quantizing",
    Phase.LORA: "Fusing LoRA",
    Phase.ENHANCE: "Prompt enhancement",
    Phase.ENCODE: "Text encoding",
    Phase.DENOISE_1: "Denoising, stage 1",
    Phase.UPSCALE: "Upscaling",
    Phase.DENOISE_2: "Denoising, stage 2",
    Phase.DECODE: "VAE decoding",
    Phase.EXPORT: "Export",
}


_OUTCOME_TITLES = {Outcome.SIGNAL: "crashed", Outcome.TIMEOUT: "timed out"}


def outcome_title(record: CaseRecord) -> str:
    return _OUTCOME_TITLES.get(record.outcome, record.outcome.value)


def finished(record: CaseRecord) -> bool:
    return record.outcome is Outcome.OK


def recommendable(record: CaseRecord) -> bool:
    return finished(record) and record.case.warning is None


def phase_s(record: CaseRecord, *phases: Phase) -> float | None:
    """Time in these phases together."""
    parts = [part.duration_s for part in record.phases if part.phase in phases]
    return sum(parts) if parts else None


def phase_peak_bytes(record: CaseRecord, *phases: Phase) -> int | None:
    """The highest MLX allocation within these phases."""
    peaks = [part.mlx_peak_bytes for part in record.phases if part.phase in phases]
    return max((peak for peak in peaks if peak is not None), default=None)


def stage_steps(record: CaseRecord, stage: int) -> tuple[StepRecord, ...]:
    return tuple(step for step in record.steps if step.stage == stage)


def mean_s(steps: Sequence[StepRecord]) -> float | None:
    return fmean(step.step_s for step in steps) if steps else None


def warm_mean_s(steps: Sequence[StepRecord]) -> float | None:
    """The mean of one stage's steps but its first, which also compiles kernels for the stage's shapes."""
    return mean_s(steps[1:])


@dataclass(frozen=True)
class StageFlops:
    """The arithmetic of one denoising stage, as the engine stated it (model.work.transformer_facts)."""

    forward: float
    step: float
    text: float
    """Of preparing the text, before the first step."""
    achieved_per_s: float | None
    """Of a step in the mean time of the stage's steps but its first; None for a stage of a single step."""

    def total(self, steps: int) -> float:
        return self.text + steps * self.step


def stage_flops(record: CaseRecord, stage: int) -> StageFlops | None:
    """None unless all of it was stated."""
    stated = [record.facts.get(f"flops_{part}_stage_{stage}") for part in ("per_forward", "per_step", "text")]
    numbers = [float(value) for value in stated if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(stated):
        return None
    forward, step, text = numbers
    warm_s = warm_mean_s(stage_steps(record, stage))
    return StageFlops(forward, step, text, step / warm_s if warm_s else None)


def denoising_s(record: CaseRecord) -> float | None:
    return phase_s(record, *DENOISING)
