"""The columns of the page's table: how each is titled, written and sorted, and which are there from the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ltxbench.quality.records import FrameComparison, QualityRecord
from ltxbench.report import format as fmt
from ltxbench.report.costs import memory_definitions, step_definitions, time_definitions
from ltxbench.report.figures import finished
from ltxbench.report.measured import Measured
from ltxbench.report.quality import compared_with_twin, decibels, decimal, quality_definitions
from ltxbench.report.results import Results
from ltxbench.report.tables import performance_definitions, resolution
from ltxbench.run.records import Phase
from ltxbench.trust.samples import GENERATION

FROZEN = "frames that show what the one before showed"
BLACK = "frames that show nothing"
TWIN_FRAMES = "against the frames of the same case in bf16"
SPREAD = "from the fastest to the slowest round; sorted by its share of the median"


@dataclass(frozen=True)
class Value:
    text: str
    sort: float | str | None = None
    """None sorts last in either direction."""


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    value: Callable[[Measured], Value]
    numeric: bool = True
    shown: bool = True
    meaning: str = ""
    """Or the term of the definition that says it."""
    lowest_is_best: bool = False


def columns(results: Results, cases: Sequence[Measured]) -> tuple[Column, ...]:
    """A column that no case fills is left out."""
    means = {
        definition.term: definition.meaning
        for definition in (
            *performance_definitions(results),
            *time_definitions(results),
            *step_definitions(results),
            *memory_definitions(results),
            *quality_definitions(),
        )
    }
    several = any(len(case.rounds) > 1 for case in cases)
    every: tuple[Column, ...] = (
        Column("time", "Time", lambda case: _seconds(case, case.generation_s), meaning="Time", lowest_is_best=True),
        Column("spread", "Spread", _spread, shown=several, meaning=SPREAD),
        Column(
            "peak", "Peak memory", lambda case: _gib(case, case.peak_bytes), meaning="Peak memory", lowest_is_best=True
        ),
        Column(
            "mean", "Mean memory", lambda case: _gib(case, case.mean_bytes), meaning="Mean memory", lowest_is_best=True
        ),
        Column("process", "Process", _process, shown=False, meaning="Process"),
        Column("step", "Warm step", _step, meaning="Warm step"),
        Column("model", "Model", _model, numeric=False),
        Column("steps", "Steps", _steps),
        Column("cfg", "CFG", _guidance, shown=False),
        Column("size", "Resolution", _size, numeric=False),
        Column("load", "Load", lambda case: _whole(case, "load_s"), shown=False, meaning="Load"),
        Column("text", "Text", lambda case: _phase(case, Phase.ENCODE), shown=False, meaning="Text"),
        Column("stage1", "Stage 1", lambda case: _phase(case, Phase.DENOISE_1), shown=False),
        Column("upscale", "Upscale", lambda case: _phase(case, Phase.UPSCALE), shown=False),
        Column("stage2", "Stage 2", lambda case: _phase(case, Phase.DENOISE_2), shown=False),
        Column("decode", "Decode", lambda case: _phase(case, Phase.DECODE), shown=False),
        Column("export", "Export", lambda case: _whole(case, "export_s"), shown=False, meaning="Export"),
        Column("wall", "Wall", lambda case: _whole(case, "wall_s"), shown=False, meaning="Wall"),
        Column("energy", "Energy", _energy, shown=False, meaning="of the generation, in joules"),
    )
    every = (*every, *_pictures(results))
    every = tuple(replace(column, meaning=means.get(column.meaning, column.meaning)) for column in every)
    fixed = ("model", "steps", "cfg", "size", "time", "peak", "mean")
    return tuple(c for c in every if c.key in fixed or any(c.value(case).text != fmt.MISSING for case in cases))


def _pictures(results: Results) -> tuple[Column, ...]:
    """What was measured on the frames; hidden, since few read the page for it."""

    def column(key: str, title: str, of: Callable[[QualityRecord], Value], meaning: str = "") -> Column:
        def value(case: Measured) -> Value:
            record = results.quality.get(case.record.case.name)
            return Value(fmt.MISSING) if record is None else of(record)

        return Column(key, title, value, shown=False, meaning=meaning or title)

    def twin(of: Callable[[FrameComparison], Value]) -> Callable[[QualityRecord], Value]:
        def value(record: QualityRecord) -> Value:
            found = compared_with_twin(record)
            return Value(fmt.MISSING) if found is None else of(found)

        return value

    return (
        column("artifacts", "Artifacts", lambda r: _decimal(r.quality.artifacts.score, 2)),
        column("sharpness", "Sharpness", lambda r: _decimal(r.quality.sharpness, 2)),
        column("flicker", "Flicker", lambda r: _decimal(r.quality.motion.flicker, 2)),
        column("clipped", "Clipped", lambda r: _share(r.quality.exposure.clipped_share)),
        column("frozen", "Frozen frames", lambda r: _count(r.quality.motion.frozen_frames), FROZEN),
        column("black", "Black frames", lambda r: _count(r.quality.black_frames), BLACK),
        column("ssim", "Twin SSIM", twin(lambda found: _decimal(found.ssim_mean, 3)), TWIN_FRAMES),
        column("psnr", "Twin PSNR", twin(_psnr), TWIN_FRAMES),
        column("flip", "Twin FLIP", twin(lambda found: _decimal(found.flip_mean, 3)), TWIN_FRAMES),
    )


def _decimal(value: float | None, digits: int) -> Value:
    return Value(decimal(value, digits), value)


def _share(value: float) -> Value:
    return Value(fmt.percent(value), value)


def _count(frames: Sequence[int]) -> Value:
    return Value(str(len(frames)), len(frames))


def _psnr(found: FrameComparison) -> Value:
    """Identical frames have none, and sort as the closest."""
    return Value("identical", 1e9) if found.identical else Value(decibels(found.psnr_db_mean), found.psnr_db_mean)


def _model(case: Measured) -> Value:
    label = case.record.case.model_label
    return Value(label, label)


def _steps(case: Measured) -> Value:
    return Value(case.record.case.steps_label, sum(stage.steps for stage in case.record.case.stages))


def _guidance(case: Measured) -> Value:
    return Value(fmt.number(case.record.case.guidance), case.record.case.guidance)


def _size(case: Measured) -> Value:
    return Value(resolution(case.record.case), case.record.case.width * case.record.case.height)


def _seconds(case: Measured, value_s: float | None) -> Value:
    return Value(fmt.seconds(value_s), value_s) if finished(case.record) else Value(fmt.MISSING)


def _gib(case: Measured, value_bytes: float | None) -> Value:
    return Value(fmt.gib(value_bytes), value_bytes) if finished(case.record) else Value(fmt.MISSING)


def _process(case: Measured) -> Value:
    return _gib(case, case.highest(lambda record: record.memory.footprint_peak_bytes))


def _whole(case: Measured, name: Literal["load_s", "export_s", "wall_s"]) -> Value:
    return _seconds(case, case.median(lambda record: getattr(record.times, name)))


def _phase(case: Measured, phase: Phase) -> Value:
    return _seconds(case, case.phase_s(phase))


def _step(case: Measured) -> Value:
    """Of each stage; sorted by their sum."""
    steps = [case.warm_step_s(stage.index) for stage in case.record.case.stages]
    known = [step for step in steps if step is not None]
    if not known or not finished(case.record):
        return Value(fmt.MISSING)
    return Value(" + ".join(map(fmt.plain_seconds, steps)), sum(known))


def _spread(case: Measured) -> Value:
    """Sorted by its share of the median."""
    summary = case.summary(GENERATION)
    if summary is None or not finished(case.record):
        return Value(fmt.MISSING)
    if summary.mad is None:
        return Value("1 round")
    return Value(
        fmt.span(summary.minimum, summary.maximum),
        (summary.maximum - summary.minimum) / summary.median if summary.median else None,
    )


def _energy(case: Measured) -> Value:
    value = case.median(lambda record: record.energy.generation_j if record.energy is not None else None)
    return Value(fmt.MISSING) if value is None else Value(f"{value:,.0f} J", value)
