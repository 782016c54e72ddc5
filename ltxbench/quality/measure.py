"""The figures of one video that need no reference."""

from __future__ import annotations

import numpy as np

from ltxbench.quality.artifacts import artifacts
from ltxbench.quality.exposure import black_frames, exposure
from ltxbench.quality.luma import Frames, luma
from ltxbench.quality.motion import motion
from ltxbench.quality.records import VideoQuality
from ltxbench.quality.sharpness import sharpness


def assess(frames: Frames) -> VideoQuality:
    """Of uint8 RGB [F,H,W,3]; a still is a video of one frame.

    Raises ValueError for what is no video.
    """
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise ValueError(f"frames are {frames.dtype} {frames.shape}, expected uint8 [F,H,W,3]")
    planes = np.stack([luma(frame) for frame in frames])
    count, height, width = planes.shape
    return VideoQuality(
        width=width,
        height=height,
        frames=count,
        sharpness=sharpness(planes),
        exposure=exposure(planes),
        motion=motion(planes),
        black_frames=black_frames(planes),
        artifacts=artifacts(frames),
    )
