"""Levels of brightness: exposure, clipping, black frames."""

from __future__ import annotations

import numpy as np

from ltxbench.quality.luma import Plane
from ltxbench.quality.records import Exposure

CLIPPED_DARK, CLIPPED_BRIGHT = 1.0, 254.0
BLACK_LEVEL = 32.0
BLACK_SHARE = 0.98
"""Of a black frame's pixels, how many are darker than BLACK_LEVEL: as ffmpeg's blackdetect has it by default."""


def exposure(planes: Plane) -> Exposure:
    """Of luma [F,H,W]."""
    means = planes.mean(axis=(1, 2), dtype=np.float64)
    low, high = np.percentile(planes[:, ::2, ::2].reshape(len(planes), -1), (1, 99), axis=1)
    return Exposure(
        mean_level=float(means.mean()),
        darkest_frame_level=float(means.min()),
        brightest_frame_level=float(means.max()),
        contrast=float(np.median(high - low)),
        clipped_dark_share=float(np.mean(planes <= CLIPPED_DARK)),
        clipped_bright_share=float(np.mean(planes >= CLIPPED_BRIGHT)),
    )


def black_frames(planes: Plane) -> tuple[int, ...]:
    shares = np.mean(planes < BLACK_LEVEL, axis=(1, 2))
    return tuple(int(index) for index in np.flatnonzero(shares >= BLACK_SHARE))
