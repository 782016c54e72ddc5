"""The tables of costs over all cases: where the time went, where the memory went, and the energy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from statistics import fmean

from ltxbench.report import format as fmt
from ltxbench.report.figures import finished, phase_peak_bytes
from ltxbench.report.measured import Measured, measured
from ltxbench.report.page import Cell, Column, Definition, Table
from ltxbench.report.results import Results
from ltxbench.report.tables import label
from ltxbench.run.records import LOADING, TIME_DEFINITIONS, CaseRecord, Phase
from ltxbench.trust.case_rules import swapped_out_bytes
from ltxbench.trust.samples import warm_steps


def times(results: Results) -> Table:
    """Finished cases in seconds, phase by phase; medians over the rounds."""
    shown = [case for case in measured(results) if finished(case.record)]
    two_stage = any(case.record.case.two_stage for case in shown)
    parts: list[tuple[str, Callable[[Measured], float | None]]] = [
        ("Load", lambda case: case.median(lambda record: record.times.load_s)),
        ("Text", lambda case: case.phase_s(Phase.ENCODE)),
        ("Stage 1" if two_stage else "Denoising", lambda case: case.phase_s(Phase.DENOISE_1)),
    ]
    if two_stage:
        parts.append(("Upscale", lambda case: case.phase_s(Phase.UPSCALE)))
        parts.append(("Stage 2", lambda case: case.phase_s(Phase.DENOISE_2)))
    parts += [
        ("Decode", lambda case: case.phase_s(Phase.DECODE)),
        ("Export", lambda case: case.median(lambda record: record.times.export_s)),
        ("Wall", lambda case: case.median(lambda record: record.times.wall_s)),
    ]
    parts = [part for part in parts if any(part[1](case) is not None for case in shown)]
    columns = [Column("#", numeric=True), Column("Configuration")]
    columns += [Column(title, numeric=True) for title, _ in parts]
    rows = [(*label(case.record), *(Cell(fmt.plain_seconds(value(case))) for _, value in parts)) for case in shown]
    return Table(tuple(columns), tuple(rows))


def steps(results: Results) -> Table:
    """Finished cases: the first step of each stage, cold and warm, and the others; stages are joined by `+`."""
    shown = [case for case in measured(results) if finished(case.record) and case.record.steps]
    parts: list[tuple[str, Callable[[Measured, int], float | None]]] = [("Cold first step", Measured.cold_step_s)]
    if any(case.warmed_up for case in shown):
        parts.append(("Warm first step", Measured.first_step_s))
    parts.append(("Warm step", Measured.warm_step_s))
    columns = [Column("#", numeric=True), Column("Configuration"), Column("Steps")]
    columns += [Column(title, numeric=True) for title, _ in parts]
    columns += [Column("Fastest to slowest", numeric=True)]
    rows = [
        (
            *label(case.record),
            Cell(case.record.case.steps_label),
            *(Cell(_by_stage(case, value)) for _, value in parts),
            Cell(_by_stage_text(case, _step_span)),
        )
        for case in shown
    ]
    return Table(tuple(columns), tuple(rows))


def _step_span(case: Measured, stage: int) -> str:
    found = [value for record in case.rounds for value in warm_steps(record).get(stage, ())]
    return fmt.span(min(found), max(found)).removesuffix(" s") if found else fmt.MISSING


def _by_stage(case: Measured, value: Callable[[Measured, int], float | None]) -> str:
    """`8.40`, or `2.23 + 7.55` with two stages."""
    return _by_stage_text(case, lambda one, stage: fmt.plain_seconds(value(one, stage)))


def _by_stage_text(case: Measured, written: Callable[[Measured, int], str]) -> str:
    parts = [written(case, stage.index) for stage in case.record.case.stages]
    return fmt.MISSING if set(parts) == {fmt.MISSING} else " + ".join(parts)


def memory(results: Results) -> Table:
    """Finished cases in GiB, the highest of their rounds: MLX's peak in each part, and what others count."""
    parts: list[tuple[str, tuple[Phase, ...]]] = [
        ("Load", LOADING),
        ("Text", (Phase.ENCODE,)),
        ("Denoising", (Phase.DENOISE_1, Phase.DENOISE_2)),
        ("Upscale", (Phase.UPSCALE,)),
        ("Decode", (Phase.DECODE,)),
    ]
    shown = [case for case in measured(results) if finished(case.record)]
    values: list[tuple[str, Callable[[Measured], float | None]]] = [
        (title, partial(_phase_peak, phases=phases)) for title, phases in parts
    ]
    values.append(("Whole case", lambda case: case.peak_bytes))
    for title, name in (("Process", "footprint_peak_bytes"), ("Device", "device_peak_bytes")):
        values.append((title, partial(_memory_figure, name=name)))
    values.append(("Swapped out", lambda case: case.highest(swapped_out_bytes)))
    kept = ("Whole case", "Process")
    values = [value for value in values if value[0] in kept or any(value[1](case) is not None for case in shown)]
    columns = [Column("#", numeric=True), Column("Configuration")]
    columns += [Column(title, numeric=True) for title, _ in values]
    rows = [(*label(case.record), *(Cell(fmt.plain_gib(value(case))) for _, value in values)) for case in shown]
    return Table(tuple(columns), tuple(rows))


def _phase_peak(case: Measured, phases: tuple[Phase, ...]) -> float | None:
    return case.highest(lambda record: phase_peak_bytes(record, *phases))


def _memory_figure(case: Measured, name: str) -> float | None:
    return case.highest(lambda record: getattr(record.memory, name))


def energy(results: Results) -> Table | None:
    """Finished cases in joules, medians over the rounds: the columns that some case has; None without any."""
    shown = [case for case in measured(results) if finished(case.record)]
    values: list[tuple[str, Callable[[Measured], float | None]]] = [
        ("A video", lambda case: case.median(lambda record: record.energy.generation_j if record.energy else None)),
        ("A step", lambda case: case.median(_step_j)),
        ("Whole case", lambda case: case.median(lambda record: record.energy.total_j if record.energy else None)),
    ]
    values += [
        (title, partial(_phase_energy, phases=phases))
        for title, phases in (
            ("Load", LOADING),
            ("Text", (Phase.ENCODE,)),
            ("Denoising", (Phase.DENOISE_1, Phase.DENOISE_2)),
            ("Decode", (Phase.DECODE,)),
        )
    ]
    values = [value for value in values if any(value[1](case) is not None for case in shown)]
    if not values:
        return None
    columns = [Column("#", numeric=True), Column("Configuration")]
    columns += [Column(title, numeric=True) for title, _ in values]
    rows = [(*label(case.record), *(Cell(fmt.plain_joules(value(case))) for _, value in values)) for case in shown]
    return Table(tuple(columns), tuple(rows))


def energy_definitions(results: Results) -> tuple[Definition, ...]:
    known = [record.energy for record in results.stored.records if record.energy is not None]
    sources = sorted({energy.source for energy in known})
    idle = sorted({energy.idle_power_w for energy in known if energy.idle_power_w is not None})
    definitions = [
        Definition("A video", "generation, as its time is defined above"),
        Definition("A step", "the mean of the steps whose energy the counter could tell apart"),
        Definition("Counter", " and ".join(sources)),
    ]
    if idle:
        watts = f"{idle[0]:.3g} W" if len(idle) == 1 else f"{idle[0]:.3g} to {idle[-1]:.3g} W"
        definitions.append(Definition("Idle power", f"{watts}, measured before the cases and not subtracted"))
    return tuple(definitions)


def _step_j(record: CaseRecord) -> float | None:
    known = [step.energy_j for step in record.steps if step.energy_j is not None]
    return fmean(known) if known else None


def _phase_energy(case: Measured, phases: tuple[Phase, ...]) -> float | None:
    def of(record: CaseRecord) -> float | None:
        known = [part.energy_j for part in record.phases if part.phase in phases and part.energy_j is not None]
        return sum(known) if known else None

    return case.median(of)


def time_definitions(results: Results) -> tuple[Definition, ...]:
    shown = [case for case in measured(results) if finished(case.record)]
    two_stage = any(case.record.case.two_stage for case in shown)
    return (
        Definition("Text", "encoding the prompt"),
        *([Definition("Stage 1, stage 2", "denoising")] if two_stage else []),
        *(Definition(name.capitalize(), TIME_DEFINITIONS[name]) for name in ("load", "export", "wall")),
    )


def step_definitions(results: Results) -> tuple[Definition, ...]:
    warmed_up = any(case.warmed_up for case in measured(results))
    cold = (
        "of a stage, in a process that had not run it, thrown away with the warm-up"
        if warmed_up
        else "of a stage, which also compiles what the stage needs"
    )
    return (
        Definition("Cold first step", cold),
        *([Definition("Warm first step", "of a stage, after the warm-up")] if warmed_up else []),
        Definition("Warm step", "the median of a stage's steps but the first; with several rounds, the rounds' median"),
        Definition("Fastest to slowest", "of all warm steps"),
    )


def memory_definitions(results: Results) -> tuple[Definition, ...]:
    every = [record.memory for record in results.stored.records]
    process = "the most the case's process ever held" + _counters(memory.footprint_source for memory in every)
    definitions = [Definition("Process", process)]
    if any(memory.device_peak_bytes is not None for memory in every):
        device = "the most the GPU counted for the process" + _counters(memory.device_source for memory in every)
        definitions.append(Definition("Device", device))
    if any(swapped_out_bytes(record) is not None for record in results.stored.records):
        definitions.append(Definition("Swapped out", "by the whole machine while the case ran"))
    return (*definitions, Definition("GiB", "1,073,741,824 bytes (2³⁰)"))


def _counters(sources: Iterable[str | None]) -> str:
    known = sorted({source for source in sources if source is not None})
    return f": {', '.join(known)}" if known else ""
