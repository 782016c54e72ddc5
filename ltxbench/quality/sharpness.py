"""Sharpness without a reference."""

from __future__ import annotations

import numpy as np
from skimage.measure import blur_effect

from ltxbench.quality.luma import Plane, spread

FRAMES = 5


def sharpness(planes: Plane) -> float:
    """1 - blur of luma [F,H,W], 0 to 1, median over a few frames.

    blur_effect blurs once more and asks how much of the differences between neighbours that takes away (Crete et al.,
    "The blur effect: perception and estimation with a new no-reference perceptual blur metric", SPIE 6492, 2007).
    A frame without any structure is not sharp: 0.
    """
    return float(np.median([_sharpness(planes[index]) for index in spread(len(planes), FRAMES)]))


def _sharpness(plane: Plane) -> float:
    if np.ptp(plane) < 1:
        return 0.0
    return 1.0 - float(blur_effect(plane / 255))
