"""What was measured on the pictures, and what stands out in them."""

from __future__ import annotations

from collections.abc import Callable

from ltxbench.quality.findings import remarkable
from ltxbench.quality.records import FrameComparison, QualityRecord
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
        Definition("Beside its twin", "SSIM and PSNR against the frames of the same case in bf16"),
    )


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


def _twin(record: QualityRecord) -> str:
    found = next((one.comparison for one in record.against if one.why == TWIN and one.comparison is not None), None)
    return fmt.MISSING if found is None else _compared(found)


def _clipped(record: QualityRecord) -> str:
    exposure = record.quality.exposure
    return fmt.percent(exposure.clipped_dark_share + exposure.clipped_bright_share)


def _flicker(record: QualityRecord) -> str:
    flicker = record.quality.motion.flicker
    return fmt.MISSING if flicker is None else f"{flicker:.2f}"


_COLUMNS: tuple[tuple[str, Callable[[QualityRecord], str]], ...] = (
    ("Artifacts", lambda record: f"{record.quality.artifacts.score:.2f}"),
    ("Sharpness", lambda record: f"{record.quality.sharpness:.2f}"),
    ("Flicker", _flicker),
    ("Clipped", _clipped),
    ("Frozen frames", lambda record: str(len(record.quality.motion.frozen_frames))),
    ("Black frames", lambda record: str(len(record.quality.black_frames))),
    ("Beside its twin", _twin),
)
