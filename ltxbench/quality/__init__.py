"""How good the frames are: against a reference, and without one. Nothing here imports MLX.

The names are looked up when they are used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltxbench.quality.compare import compare_cases, compare_videos
    from ltxbench.quality.findings import Badge, Finding, remarkable
    from ltxbench.quality.measure import assess
    from ltxbench.quality.records import FrameComparison, QualityRecord, VideoQuality
    from ltxbench.quality.reference import compare_frames
    from ltxbench.quality.stored import measure_run, of_run, read

_HOME = {
    "Badge": "findings",
    "Finding": "findings",
    "FrameComparison": "records",
    "QualityRecord": "records",
    "VideoQuality": "records",
    "assess": "measure",
    "compare_cases": "compare",
    "compare_frames": "reference",
    "compare_videos": "compare",
    "measure_run": "stored",
    "of_run": "stored",
    "read": "stored",
    "remarkable": "findings",
}

__all__ = [
    "Badge",
    "Finding",
    "FrameComparison",
    "QualityRecord",
    "VideoQuality",
    "assess",
    "compare_cases",
    "compare_frames",
    "compare_videos",
    "measure_run",
    "of_run",
    "read",
    "remarkable",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
