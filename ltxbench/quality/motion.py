"""What changes from frame to frame: flicker, motion, frozen frames."""

from __future__ import annotations

import itertools

import numpy as np

from ltxbench.quality.luma import Plane
from ltxbench.quality.records import Motion

FROZEN_SHARE = 0.05
"""Of the median change. A frame that repeats the one before still differs by what its encoder added."""
FROZEN_LEVELS = 0.05
"""Grey levels: below, a pair of frames shows the same whatever the others do."""


def motion(planes: Plane) -> Motion:
    """Of luma [F,H,W]."""
    if len(planes) < 2:
        return Motion()
    changes = np.array([np.mean(np.abs(later - earlier)) for earlier, later in itertools.pairwise(planes)])
    change = float(np.median(changes))
    means = planes.mean(axis=(1, 2), dtype=np.float64)
    limit = max(FROZEN_LEVELS, FROZEN_SHARE * change)
    return Motion(
        flicker=float(np.median(np.abs(np.diff(means, 2)))) if len(planes) > 2 else None,
        change=change,
        frozen_frames=tuple(int(index) + 1 for index in np.flatnonzero(changes <= limit)),
    )
