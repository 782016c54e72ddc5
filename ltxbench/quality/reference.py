"""One video against another, frame by frame."""

from __future__ import annotations

import math

import numpy as np
from skimage.metrics import structural_similarity

from ltxbench.errors import UsageError
from ltxbench.quality.flip import mean_flip
from ltxbench.quality.luma import Frames, luma, spread
from ltxbench.quality.records import FrameComparison, FrameDifference

FLIP_FRAMES = 3
SMALLEST_PX = 11
"""SSIM's window."""


def compare_frames(reference: Frames, other: Frames, source: str = "lossless") -> FrameComparison:
    """Of two uint8 RGB videos [F,H,W,3] of one shape.

    PSNR is over all three channels, its mean from the mean squared error. SSIM is that of luma with Gaussian weights
    of 1.5 px (Wang et al., IEEE TIP 13(4), 2004). FLIP is computed for the worst frame and a few others.

    Raises UsageError for shapes that differ or are too small for SSIM.
    """
    if reference.shape != other.shape:
        raise UsageError(
            f"{_shape(other)} cannot be compared frame by frame with {_shape(reference)}",
            hint="Compare videos of one size and length.",
        )
    if min(reference.shape[1:3]) < SMALLEST_PX:
        raise UsageError(f"{_shape(reference)} is too small: SSIM needs {SMALLEST_PX}x{SMALLEST_PX} pixels")
    squared = [_mean_squared_error(one, two) for one, two in zip(reference, other, strict=True)]
    differing = [index for index, error in enumerate(squared) if error]
    if not differing:
        return identical(len(reference), source)
    found = [
        FrameDifference(frame=index, psnr_db=psnr_db(squared[index]), ssim=_ssim(reference[index], other[index]))
        for index in differing
    ]
    worst = _worst(found).frame
    flipped = {differing[place] for place in spread(len(differing), FLIP_FRAMES)} | {worst}
    found = [
        one.model_copy(update={"flip": mean_flip(reference[one.frame], other[one.frame])})
        if one.frame in flipped
        else one
        for one in found
    ]
    errors = [one.flip for one in found if one.flip is not None]
    same = len(reference) - len(differing)
    return FrameComparison(
        source=source,
        identical=False,
        frames=len(reference),
        identical_frames=same,
        psnr_db_mean=psnr_db(float(np.mean(squared))),
        ssim_mean=float((sum(one.ssim for one in found) + same) / len(reference)),
        flip_mean=float(np.mean(errors)) if errors else None,
        worst=_worst(found),
        differences=tuple(found),
    )


def identical(frames: int, source: str) -> FrameComparison:
    """All frames are the same."""
    return FrameComparison(source=source, identical=True, frames=frames, identical_frames=frames, ssim_mean=1.0)


def psnr_db(mean_squared_error: float) -> float | None:
    """Peak signal-to-noise ratio of 8 bit; None where there is no error, which no number says."""
    return 10 * math.log10(255**2 / mean_squared_error) if mean_squared_error else None


def _worst(found: list[FrameDifference]) -> FrameDifference:
    return min(found, key=lambda one: (one.ssim, one.psnr_db))


def _mean_squared_error(one: Frames, two: Frames) -> float:
    return float(np.mean(np.square(one.astype(np.float32) - two.astype(np.float32)), dtype=np.float64))


def _ssim(one: Frames, two: Frames) -> float:
    return float(
        structural_similarity(
            luma(one), luma(two), data_range=255.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def _shape(frames: Frames) -> str:
    count, height, width = frames.shape[:3]
    return f"a video of {count} frames of {width}x{height}"
