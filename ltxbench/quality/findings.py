"""What a reader should be told about a case's frames, found by rule: nobody writes these notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ltxbench.quality.artifacts import GRAIN_UNIT, LATTICE_UNIT
from ltxbench.quality.records import Artifacts, QualityRecord, VideoQuality

STANDS_OUT = 1.0
SIBLINGS_FACTOR = 3.0
SIBLINGS_LEAST = 0.6
"""Score. A case is only compared with its siblings once something is to be seen."""
FEWEST_SIBLINGS = 3
SOFT_SHARE = 0.6
"""Of the siblings' median sharpness."""
FLICKER = 2.0
"""Grey levels from frame to frame that the trend of its neighbours does not explain."""
CLIPPED_SHARE = 0.25
FAITHFUL_SSIM = 0.9


class Badge(StrEnum):
    ARTIFACTS = "artifacts"
    BLACK = "black"
    FROZEN = "frozen"
    FLICKER = "flicker"
    SOFT = "soft"
    CLIPPED = "clipped"
    DIVERGES = "diverges"


@dataclass(frozen=True)
class Finding:
    case: str
    badge: Badge
    sentence: str


def remarkable(qualities: Mapping[str, QualityRecord]) -> tuple[Finding, ...]:
    """What stands out, in the order of the cases. Meant for real weights: frames made from synthetic ones mean nothing.

    A score stands out by itself from 1 on, or from SIBLINGS_LEAST on when it is SIBLINGS_FACTOR times the median of at
    least FEWEST_SIBLINGS other cases.
    """
    found: list[Finding] = []
    for name, record in qualities.items():
        others = [other.quality for sibling, other in qualities.items() if sibling != name]
        for badge, sentence in _of_case(record, others):
            found.append(Finding(name, badge, sentence))
    return tuple(found)


def _of_case(record: QualityRecord, others: list[VideoQuality]) -> list[tuple[Badge, str]]:
    quality = record.quality
    found = [
        (Badge.ARTIFACTS, _artifacts(quality.artifacts, others)),
        (Badge.BLACK, _frames("black", quality.black_frames, quality.frames)),
        (Badge.FROZEN, _frozen(quality)),
        (Badge.FLICKER, _flicker(quality)),
        (Badge.SOFT, _soft(quality, others)),
        (Badge.CLIPPED, _clipped(quality)),
        (Badge.DIVERGES, _diverges(record)),
    ]
    return [(badge, sentence) for badge, sentence in found if sentence is not None]


def _artifacts(one: Artifacts, others: list[VideoQuality]) -> str | None:
    usual = float(np.median([other.artifacts.score for other in others])) if others else None
    apart = (
        usual is not None
        and len(others) >= FEWEST_SIBLINGS
        and one.score >= max(SIBLINGS_LEAST, SIBLINGS_FACTOR * usual)
    )
    if one.score < STANDS_OUT and not apart:
        return None
    seen = []
    if one.lattice_rms / LATTICE_UNIT >= min(STANDS_OUT, one.score):
        seen.append(f"a regular lattice of {one.lattice_rms:.1f} grey levels{_periods(one)}")
    elif one.mesh_rms / LATTICE_UNIT >= min(STANDS_OUT, one.score):
        seen.append(f"a mesh of {one.mesh_rms:.1f} grey levels in all its parts")
    if one.grain_sigma / GRAIN_UNIT >= min(STANDS_OUT, one.score):
        seen.append(f"grain of {one.grain_sigma:.1f} grey levels in its flat regions")
    beside = f"; the median of the other cases is {usual:.1f}" if usual is not None else ""
    return f"Shows {' and '.join(seen)}: artifact score {one.score:.1f}, where 1 stands out{beside}."


def _periods(one: Artifacts) -> str:
    if not one.peaks:
        return ""
    periods = sorted({round(p) for peak in one.peaks[:2] for p in (peak.period_x_px, peak.period_y_px) if p})
    return f" with a period of {' and '.join(str(period) for period in periods)} px"


def _frames(kind: str, which: tuple[int, ...], total: int) -> str | None:
    if not which:
        return None
    return f"{len(which)} of {total} frames {'is' if len(which) == 1 else 'are'} {kind}, frame {which[0]} first."


def _frozen(quality: VideoQuality) -> str | None:
    return _frames("the same as the one before", quality.motion.frozen_frames, quality.frames)


def _flicker(quality: VideoQuality) -> str | None:
    flicker = quality.motion.flicker
    if flicker is None or flicker < FLICKER:
        return None
    return f"Its brightness jumps by {flicker:.1f} grey levels from frame to frame."


def _soft(quality: VideoQuality, others: list[VideoQuality]) -> str | None:
    if len(others) < FEWEST_SIBLINGS:
        return None
    usual = float(np.median([other.sharpness for other in others]))
    if quality.sharpness >= SOFT_SHARE * usual:
        return None
    return f"Softer than the other cases: sharpness {quality.sharpness:.2f}, their median {usual:.2f}."


def _clipped(quality: VideoQuality) -> str | None:
    dark, bright = quality.exposure.clipped_dark_share, quality.exposure.clipped_bright_share
    if dark + bright < CLIPPED_SHARE:
        return None
    return f"{dark:.0%} of its pixels are black and {bright:.0%} white: detail is lost there."


def _diverges(record: QualityRecord) -> str | None:
    for one in record.against:
        if one.why == "bf16 twin" and one.comparison is not None and (one.comparison.ssim_mean or 0) < FAITHFUL_SSIM:
            compared = one.comparison
            worst = f", frame {compared.worst.frame} the farthest" if compared.worst is not None else ""
            psnr = f", PSNR {compared.psnr_db_mean:.1f} dB" if compared.psnr_db_mean is not None else ""
            return f"Another video than its bf16 twin {one.case}: SSIM {compared.ssim_mean:.2f}{psnr}{worst}."
    return None
