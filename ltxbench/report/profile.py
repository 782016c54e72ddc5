"""One case in full: its phases, every step, its memory, and what the engine said about itself."""

from __future__ import annotations

from itertools import groupby

from ltxbench.matrix.case import Stage
from ltxbench.report import format as fmt
from ltxbench.report.arithmetic import case_lines
from ltxbench.report.figures import PHASE_TITLES, mean_s, phase_peak_bytes, phase_s, stage_steps, warm_mean_s
from ltxbench.report.page import Cell, Column, Definition, Profile, Table
from ltxbench.run.records import CaseRecord, MatmulRate, Phase, StepRecord

ONE_COLUMN = 12
COLUMNS = 3
SHOWN_ELSEWHERE = ("flops_", "tokens_stage_")


def profile(record: CaseRecord, matmul: MatmulRate | None = None) -> Profile | None:
    """None when the case measured nothing, not even in part."""
    own = {name: value for name, value in record.facts.items() if not name.startswith(SHOWN_ELSEWHERE)}
    stated = {**own, **({"frames_sha256": record.video.frames_sha256} if record.video else {})}
    facts = tuple(Definition(name.replace("_", " "), _fact(value)) for name, value in sorted(stated.items()))
    if not (record.phases or record.steps or facts):
        return None
    return Profile(_phases(record), steps(record), _memory(record), case_lines(record, matmul), facts)


def steps(record: CaseRecord) -> str | None:
    """All steps, stage by stage, as lines of equal width."""
    lines: list[str] = []
    for stage in record.case.stages:
        taken = stage_steps(record, stage.index)
        if taken:
            lines += [*([""] if lines else []), *_stage(stage, taken)]
    return "\n".join(lines) if lines else None


def _stage(stage: Stage, taken: tuple[StepRecord, ...]) -> list[str]:
    forwards = fmt.plural(stage.forwards, "forward")
    title = f"Stage {stage.index}: {stage.width}x{stage.height}, {fmt.plural(len(taken), 'step')}, {forwards} a step"
    if len(taken) < stage.steps:
        title += f" ({stage.steps} asked for)"
    times = [fmt.seconds(step.step_s) for step in taken]
    width = max(map(len, times))
    entries = [
        f"Step {step.index:>2}  σ {fmt.sigma(step.sigma)}  {time:>{width}}"
        for step, time in zip(taken, times, strict=True)
    ]
    columns = 1 if len(entries) <= ONE_COLUMN else COLUMNS
    depth = -(-len(entries) // columns)
    rows = ["    ".join(entries[row::depth]) for row in range(depth)]
    summary = [f"First step: {fmt.seconds(taken[0].step_s)}"]
    if len(taken) > 1:
        summary.append(f"mean of the others: {fmt.seconds(warm_mean_s(taken))}")
        summary.append(f"mean of all: {fmt.seconds(mean_s(taken))}")
    return [title, *(f"  {row}" for row in rows), "  " + ", ".join(summary)]


def _phases(record: CaseRecord) -> Table | None:
    if not record.phases:
        return None
    columns = (
        Column("Phase"),
        Column("Time", numeric=True),
        Column("MLX peak", numeric=True),
        Column("MLX active at the end", numeric=True),
        Column("Process at the end", numeric=True),
    )
    order = [phase for phase, _ in groupby(part.phase for part in record.phases)]
    rows = [_phase(record, phase) for phase in dict.fromkeys(order)]
    whole = record.times
    rows += [
        (Cell(title, bold=True), Cell(fmt.seconds(value), bold=True), *(Cell("") for _ in range(3)))
        for title, value in (("Generation", whole.generation_s), ("Wall", whole.wall_s))
        if value is not None
    ]
    return Table(columns, tuple(rows))


def _phase(record: CaseRecord, phase: Phase) -> tuple[Cell, ...]:
    last = [part for part in record.phases if part.phase is phase][-1]
    title = PHASE_TITLES[phase]
    if not record.case.two_stage and phase is Phase.DENOISE_1:
        title = "Denoising"
    return (
        Cell(title),
        Cell(fmt.seconds(phase_s(record, phase))),
        Cell(fmt.gib(phase_peak_bytes(record, phase))),
        Cell(fmt.gib(last.mlx_active_bytes)),
        Cell(fmt.gib(last.footprint_bytes)),
    )


def _memory(record: CaseRecord) -> tuple[Definition, ...]:
    memory = record.memory
    figures = [
        Definition("Peak MLX memory", fmt.gib(memory.mlx_peak_bytes)),
        Definition("Mean MLX memory while denoising", fmt.gib(memory.mlx_mean_denoising_bytes)),
        Definition("Peak of the process", fmt.gib(memory.footprint_peak_bytes)),
    ]
    if memory.samples:
        sampling = fmt.plural(memory.samples, "sample")
        if memory.longest_gap_s is not None:
            sampling += f", longest gap {fmt.seconds(memory.longest_gap_s)}"
        figures.append(Definition("Memory sampler", sampling))
    return tuple(figures)


def _fact(value: str | int | float | bool | None) -> str:
    if value is None:
        return fmt.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
