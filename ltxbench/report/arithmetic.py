"""The arithmetic of the finished cases beside what the machine can do: table, definitions, and a case's own lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ltxbench.report import format as fmt
from ltxbench.report.figures import PHASE_TITLES, StageFlops, finished, phase_s, stage_flops
from ltxbench.report.page import Cell, Column, Definition, Table
from ltxbench.report.results import Results
from ltxbench.report.tables import label
from ltxbench.run.records import CaseRecord, MatmulRate, Phase

AROUND_DENOISING = {Phase.ENCODE: "flops_encode", Phase.DECODE: "flops_decode"}
"""The engine's fact of what each takes: every prompt of the case, every tile of the video."""
Stages = tuple[StageFlops, ...]


def arithmetic(results: Results) -> Table | None:
    """One row a finished case that stated its work, None where there is none; stages are joined by `+`."""
    worked = [(record, stages) for record in results.records if finished(record) and (stages := _stages(record))]
    if not worked:
        return None
    matmul = results.run.matmul
    all_stages = [stage for _, stages in worked for stage in stages]
    per_forward = fmt.flop_unit(stage.forward for stage in all_stages)
    per_step = fmt.flop_unit(stage.step for stage in all_stages)
    total = fmt.flop_unit(denoising_flops(record, stages) for record, stages in worked)
    rate = fmt.flop_unit(stage.achieved_per_s or 0.0 for stage in all_stages)
    columns = [
        Column("#", numeric=True),
        Column("Configuration"),
        Column(f"{per_forward} a forward", numeric=True),
        Column(f"{per_step} a step", numeric=True),
        Column(f"{total} in all", numeric=True),
        Column(f"{rate}/s", numeric=True),
    ]
    if matmul is not None:
        columns.append(Column("Share of matmul rate", numeric=True))
    rows = []
    for record, stages in worked:
        cells = [
            *label(record),
            Cell(_joined(stages, lambda stage: fmt.plain_flops(stage.forward, per_forward))),
            Cell(_joined(stages, lambda stage: fmt.plain_flops(stage.step, per_step))),
            Cell(fmt.plain_flops(denoising_flops(record, stages), total)),
            Cell(_joined(stages, lambda stage: fmt.plain_flops(stage.achieved_per_s, rate))),
        ]
        if matmul is not None:
            cells.append(Cell(_joined(stages, lambda stage: fmt.percent(_share(stage, matmul)))))
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows))


def arithmetic_definitions(results: Results) -> tuple[Definition, ...]:
    definitions = [
        Definition(
            "FLOP",
            "one multiplication or addition of the transformer's matrix products and attention, counted by formula for "
            "the work that is done; normalisation and other work on single elements is not counted",
        ),
        Definition("A step", "all its forwards: two with CFG, one more with STG"),
        Definition("In all", "denoising with every step, and preparing the text once a stage"),
        Definition("FLOP/s", "a step's arithmetic over the mean step, which leaves the first out"),
    ]
    if results.run.matmul is not None:
        definitions.append(Definition("Matmul rate", matmul_rate(results.run.matmul)))
    return tuple(definitions)


def matmul_rate(rate: MatmulRate) -> str:
    """`146 GFLOP/s: this machine's own, ...`."""
    return (
        f"{fmt.flops_rate(rate.flops_per_s)}, this machine's own, measured before the first case as the median of "
        f"{fmt.plural(rate.samples, 'sample')} of a product of two {rate.dtype} matrices of {rate.size:,} x "
        f"{rate.size:,}; a quantized case is set against the same rate"
    )


def case_lines(record: CaseRecord, matmul: MatmulRate | None) -> tuple[Definition, ...]:
    """A case's own arithmetic, stage by stage; nothing where it was not stated."""
    lines = []
    for stage in record.case.stages:
        flops = stage_flops(record, stage.index)
        if flops is None:
            continue
        unit = fmt.flop_unit([flops.step])
        tokens = record.facts.get(f"tokens_stage_{stage.index}")
        text = f"{tokens:,} tokens, " if isinstance(tokens, int) else ""
        text += f"{fmt.plain_flops(flops.forward, unit)} {unit} a forward, {fmt.plain_flops(flops.step, unit)} a step"
        if flops.achieved_per_s is not None:
            text += f", {fmt.flops_rate(flops.achieved_per_s)}"
            if matmul is not None:
                text += f" ({fmt.percent(_share(flops, matmul))} of the matmul rate)"
        lines.append(Definition(f"Arithmetic, stage {stage.index}" if record.case.two_stage else "Arithmetic", text))
    for phase, fact in AROUND_DENOISING.items():
        stated, duration_s = record.facts.get(fact), phase_s(record, phase)
        if isinstance(stated, int) and duration_s:
            unit = fmt.flop_unit([float(stated)])
            text = f"{fmt.plain_flops(float(stated), unit)} {unit}, {fmt.flops_rate(stated / duration_s)}"
            if matmul is not None:
                text += f" ({fmt.percent(stated / duration_s / matmul.flops_per_s)} of the matmul rate)"
            lines.append(Definition(f"Arithmetic of {PHASE_TITLES[phase]}", text))
    return tuple(lines)


def denoising_flops(record: CaseRecord, stages: Sequence[StageFlops]) -> float:
    return sum(stage.total(plan.steps) for stage, plan in zip(stages, record.case.stages, strict=True))


def _stages(record: CaseRecord) -> Stages:
    """All stages of the case, or none."""
    found = [stage_flops(record, stage.index) for stage in record.case.stages]
    stages = tuple(stage for stage in found if stage is not None)
    return stages if len(stages) == len(found) else ()


def _share(stage: StageFlops, matmul: MatmulRate) -> float | None:
    return None if stage.achieved_per_s is None else stage.achieved_per_s / matmul.flops_per_s


def _joined(stages: Stages, written: Callable[[StageFlops], str]) -> str:
    parts = [written(stage) for stage in stages]
    return fmt.MISSING if set(parts) == {fmt.MISSING} else " + ".join(parts)
