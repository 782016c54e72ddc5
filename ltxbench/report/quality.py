"""What was measured on the pictures, and what stands out in them."""

from __future__ import annotations

from collections.abc import Callable

from ltxbench.quality.findings import remarkable
from ltxbench.quality.records import Against, FrameComparison, FrameDifference, QualityRecord
from ltxbench.report import format as fmt
from ltxbench.report.badges import Finding
from ltxbench.report.page import Cell, Column, Definition, Table
from ltxbench.report.results import Results
from ltxbench.report.tables import label


def findings(results: Results) -> dict[str, list[Finding]]:
    """By the case's name. None for synthetic weights: their pictures mean nothing."""
    found: dict[str, list[Finding]] = {}
    if not results.run.weights.synthetic:
        for one in remarkable(results.quality):
            found.setdefault(one.case, []).append(Finding(one.badge.value, one.sentence))
    return found


def quality(results: Results) -> Table | None:
    """One row a measured case; None where no picture was measured."""
    shown = [record for record in results.records if record.case.name in results.quality]
    if not shown:
        return None
    measured = [results.quality[record.case.name] for record in shown]
    kept = [column for column in _COLUMNS if any(column[1](one) != fmt.MISSING for one in measured)]
    columns = (Column("#", numeric=True), Column("Configuration"), *(Column(t, numeric=True) for t, _ in kept))
    rows = tuple(
        (*label(record), *(Cell(written(one)) for _, written in kept))
        for record, one in zip(shown, measured, strict=True)
    )
    return Table(columns, rows)


def quality_definitions() -> tuple[Definition, ...]:
    return (
        Definition("Artifacts", "lattice and grain in flat regions; from 1 on they stand out"),
        Definition("Sharpness", "share of fine structure that a small blur takes away"),
        Definition("Flicker", "jumps of the mean brightness from frame to frame, in grey levels"),
        Definition("Clipped", "pixels that are black or white"),
    )


def comparisons(results: Results) -> Table | None:
    """One row for each case and each other that its frames were compared with; None where none were."""
    titles = {case.name: case.title for case in results.run.matrix.cases}
    rows = tuple(
        (*label(record), Cell(f"{titles.get(one.case, one.case)} ({one.why})"), *map(Cell, _figures(one)))
        for record in results.records
        if record.case.name in results.quality
        for one in results.quality[record.case.name].against
    )
    if not rows:
        return None
    figures = ("SSIM", "PSNR", "FLIP", "Identical frames", "Worst frame")
    columns = (Column("#", numeric=True), Column("Configuration"), Column("Against"))
    return Table((*columns, *(Column(title, numeric=True) for title in figures)), rows)


def comparison_definitions() -> tuple[Definition, ...]:
    return (
        Definition("SSIM", "likeness of structure, mean over the frames; 1 is identical"),
        Definition("PSNR", "of the mean squared error over all frames; higher is closer"),
        Definition("FLIP", "difference that an eye sees when the two alternate, 0 to 1, mean of up to four frames"),
        Definition("Worst frame", "of the lowest SSIM, with its SSIM and PSNR"),
    )


def compared_with_twin(record: QualityRecord) -> FrameComparison | None:
    return next((one.comparison for one in record.against if one.why == TWIN), None)


def beside_twin(results: Results, name: str) -> str | None:
    """A sentence on how a quantized case's frames differ from its twin's; None where they were not compared."""
    record = results.quality.get(name)
    for against in record.against if record is not None else ():
        if against.why != TWIN:
            continue
        if against.comparison is None:
            return f"The pictures were not compared: {against.not_compared}."
        return f"The pictures: {_compared(against.comparison)}{_worst(against.comparison)}."
    return None


TWIN = "bf16 twin"


def _worst(found: FrameComparison) -> str:
    return f", frame {found.worst.frame} the farthest" if found.worst is not None else ""


def _compared(found: FrameComparison) -> str:
    if found.identical:
        return "identical"
    parts = [f"SSIM {found.ssim_mean:.3f}"] if found.ssim_mean is not None else []
    if found.psnr_db_mean is not None:
        parts.append(f"{found.psnr_db_mean:.1f} dB")
    return ", ".join(parts) or fmt.MISSING


def _figures(one: Against) -> tuple[str, ...]:
    """The cells of a comparison; the first says why there is none."""
    found = one.comparison
    if found is None:
        return (one.not_compared or fmt.MISSING, *[fmt.MISSING] * 4)
    if found.identical:
        return ("identical", *[fmt.MISSING] * 2, f"{found.frames} of {found.frames}", fmt.MISSING)
    same = found.identical_frames
    return (
        decimal(found.ssim_mean, 3),
        decibels(found.psnr_db_mean),
        decimal(found.flip_mean, 3),
        fmt.MISSING if same is None else f"{same} of {found.frames}",
        fmt.MISSING if found.worst is None else _frame(found.worst),
    )


def _frame(worst: FrameDifference) -> str:
    return f"{worst.frame} ({worst.ssim:.3f}, {decibels(worst.psnr_db)})"


def decimal(value: float | None, digits: int) -> str:
    return fmt.MISSING if value is None else f"{value:.{digits}f}"


def decibels(value: float | None) -> str:
    return fmt.MISSING if value is None else f"{value:.1f} dB"


_COLUMNS: tuple[tuple[str, Callable[[QualityRecord], str]], ...] = (
    ("Artifacts", lambda record: f"{record.quality.artifacts.score:.2f}"),
    ("Sharpness", lambda record: f"{record.quality.sharpness:.2f}"),
    ("Flicker", lambda record: decimal(record.quality.motion.flicker, 2)),
    ("Clipped", lambda record: fmt.percent(record.quality.exposure.clipped_share)),
    ("Frozen frames", lambda record: str(len(record.quality.motion.frozen_frames))),
    ("Black frames", lambda record: str(len(record.quality.black_frames))),
)
