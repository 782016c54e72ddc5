"""From what a source says about a case to its record: only what it states, and what follows from that by a sum."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum

from ltxbench.importing.found import Found
from ltxbench.importing.quantity import size
from ltxbench.matrix.case import Case
from ltxbench.run.records import (
    CaseRecord,
    Failure,
    MemoryRecord,
    Outcome,
    Phase,
    PhaseRecord,
    StepRecord,
    Times,
)

UNKNOWN = "unknown"
PROFILED = ("total", "decoding", "average", "generation")
"""Figures that a case has only when it came to its end."""


def to_record(found: Found, case: Case, number: int) -> CaseRecord:
    steps, phases = _steps(found, case), tuple(_phases(found, case))
    outcome, failure = _outcome(found)
    profile = found.profile
    return CaseRecord(
        case=case,
        number=number,
        outcome=outcome,
        failure=failure,
        started_utc=UNKNOWN,
        times=Times(
            generation_s=generation_s(found) if outcome is Outcome.OK else None,
            load_s=profile.seconds("loading"),
            export_s=profile.seconds("export"),
        ),
        memory=_memory(found),
        phases=phases,
        steps=_placed(steps, phases, found, case),
        facts={
            "imported": True,
            "steps_stated": len(steps),
            "steps_asked_for": sum(stage.steps for stage in case.stages),
            **({"approximate": ", ".join(about)} if (about := approximate(found)) else {}),
        },
    )


def generation_s(found: Found) -> float | None:
    """The printed total, where it holds text encoding, denoising and decoding; None where a part is not in it."""
    profile = found.profile
    total = profile.get("total")
    if total is None or "encoding" in profile.figures:
        return total.value if total is not None else None
    parts = [part for name in ("denoising", "decoding") if (part := profile.get(name)) is not None]
    if not parts:
        return None
    slack = total.rounding + fsum(part.rounding for part in parts)
    return total.value if total.value - fsum(part.value for part in parts) > slack + 1e-9 else None


def approximate(found: Found) -> list[str]:
    """What the source itself gives as about that much."""
    profile = found.profile
    names = [name for name, quantity in profile.figures.items() if quantity.approximate]
    names += [f"step {index}" for index, quantity in sorted(profile.steps.items()) if quantity.approximate]
    return names + [f"steps {part.first}-{part.last}" for part in profile.ranges if part.each.approximate]


def _outcome(found: Found) -> tuple[Outcome, Failure | None]:
    if found.ending is not None:
        ending = found.ending
        return ending.outcome, Failure(message=ending.message, phase=ending.phase, output_tail=ending.tail)
    if found.summary.get("time") or any(name in found.profile.figures for name in PROFILED):
        return Outcome.OK, None
    reached = max(found.profile.steps, default=None)
    where = f"after step {reached}" if reached is not None else "before the first step"
    return Outcome.FAILED, Failure(message=f"the profile ends {where}, without a total", phase=Phase.DENOISE_1)


def _memory(found: Found) -> MemoryRecord:
    profile = found.profile
    peak = profile.get("peak") or size(found.summary.get("peak memory", ""))
    mean = profile.get("mean") or size(found.summary.get("mean memory", ""))
    footprint = profile.get("footprint")
    return MemoryRecord(
        mlx_peak_bytes=round(peak.value) if peak else None,
        mlx_mean_denoising_bytes=round(mean.value) if mean else None,
        footprint_peak_bytes=round(footprint.value) if footprint else None,
        footprint_source="the process's physical footprint, as the program printed it" if footprint else None,
    )


def stage_of(index: int, found: Found, case: Case) -> int:
    starts = [stage.first_step for stage in found.profile.stages if stage.number == 2 and stage.first_step is not None]
    first_of_second = starts[0] if starts else case.steps
    return 2 if case.two_stage and index >= first_of_second else 1


def _steps(found: Found, case: Case) -> list[StepRecord]:
    """The ones stated one by one; a figure that several share is none of them. Starts are still to be placed."""
    debug, stated = found.debug_steps, found.profile.steps
    forwards = {stage.index: stage.forwards for stage in case.stages}
    taken = [
        (index, quantity.value, stage_of(index, found, case), debug[index].sigma if index < len(debug) else None)
        for index, quantity in sorted(stated.items())
    ] or [
        (index, step.step.value, step.stage, step.sigma)
        for index, step in enumerate(debug)
        if step.step is not None and step.stage in forwards
    ]
    return [
        StepRecord(stage=stage, index=index, sigma=sigma, forwards=forwards[stage], start_s=0.0, step_s=step_s)
        for index, step_s, stage, sigma in taken
    ]


def stage_totals(found: Found, case: Case) -> dict[int, float]:
    """Seconds of each denoising stage that can be told: as stated, by its steps, or by what the other stage leaves."""
    profile, counts = found.profile, {stage.index: stage.steps for stage in case.stages}
    whole = profile.seconds("denoising")
    if not case.two_stage:
        steps = _all_steps(found, case, 1, counts[1])
        return {1: whole} if whole is not None else ({1: steps} if steps is not None else {})
    totals = {
        number: total for number in counts if (total := _all_steps(found, case, number, counts[number])) is not None
    }
    if whole is not None and len(totals) == 1:
        (known,) = totals
        totals[3 - known] = max(0.0, whole - totals[known])
    return totals if len(totals) == len(counts) else {}


def _all_steps(found: Found, case: Case, stage: int, count: int) -> float | None:
    """None unless every step of the stage is stated one by one."""
    taken = [q.value for index, q in found.profile.steps.items() if stage_of(index, found, case) == stage]
    return fsum(taken) if len(taken) == count else None


def _phases(found: Found, case: Case) -> Iterator[PhaseRecord]:
    """Laid end to end: when they began is not printed."""
    profile, stages, clock_s = found.profile, stage_totals(found, case), 0.0
    loading, quantizing = profile.seconds("loading"), profile.seconds("quantization")
    if loading is not None and quantizing is not None:
        loading = max(0.0, loading - quantizing)  # the program quantizes while it loads
    durations = (
        (Phase.LOAD, loading),
        (Phase.QUANTIZE, quantizing),
        (Phase.ENHANCE, profile.seconds("enhancement")),
        (Phase.ENCODE, profile.seconds("encoding")),
        (Phase.DENOISE_1, stages.get(1)),
        (Phase.UPSCALE, profile.seconds("upscaling")),
        (Phase.DENOISE_2, stages.get(2)),
        (Phase.DECODE, profile.seconds("decoding")),
        (Phase.EXPORT, profile.seconds("export")),
    )
    for phase, duration_s in durations:
        if duration_s is not None:
            yield PhaseRecord(phase=phase, start_s=clock_s, duration_s=duration_s)
            clock_s += duration_s


def _placed(
    steps: list[StepRecord], phases: tuple[PhaseRecord, ...], found: Found, case: Case
) -> tuple[StepRecord, ...]:
    """Steps one after the other from their stage's start; one that is not stated takes the stage's mean."""
    starts = {phase.phase: phase.start_s for phase in phases}
    totals = stage_totals(found, case)
    placed: list[StepRecord] = []
    for stage in case.stages:
        own = [step for step in steps if step.stage == stage.index]
        first = 0 if stage.index == 1 else case.steps
        clock_s = starts.get(Phase.DENOISE_1 if stage.index == 1 else Phase.DENOISE_2, 0.0)
        mean_s = totals.get(stage.index, 0.0) / stage.steps
        position = first
        for step in own:
            clock_s += mean_s * max(0, step.index - position)
            placed.append(step.model_copy(update={"start_s": clock_s}))
            clock_s += step.step_s
            position = step.index + 1
    return tuple(placed)
