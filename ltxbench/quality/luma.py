"""Brightness as a viewer sees it, and the frames of a video that are looked at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

BT709 = (0.2126, 0.7152, 0.0722)
"""ITU-R BT.709, on the coded values: the Y' of video, not linear light."""
BAR_LEVEL = 24.0
"""A letterbox is darker than this; black is 16 in a file whose range was misread."""
BAR_DEVIATION = 1.5


def luma(frame: Frames) -> Plane:
    """Y' of uint8 [..., H, W, 3], in grey levels from 0 to 255."""
    red, green, blue = (np.float32(weight) for weight in BT709)
    plane: Plane = frame[..., 0] * red + frame[..., 1] * green + frame[..., 2] * blue
    return plane


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` indices of `count` frames, first and last among them, evenly spaced."""
    if count <= wanted:
        return list(range(count))
    return [round(index) for index in np.linspace(0, count - 1, wanted)]


def without_bars(planes: Plane) -> Plane:
    """[F,H,W] without its letterbox: dark, even rows and columns at the borders that are so in every frame."""
    rows = _picture(planes.transpose(1, 0, 2))
    columns = _picture(planes.transpose(2, 0, 1))
    return planes[:, rows, columns]


def _picture(lines: Plane) -> slice:
    """From the first to the last of [N, ...] lines that show something; all of them where none does."""
    flat = lines.reshape(len(lines), -1)
    shown = np.flatnonzero((flat.mean(axis=1) > BAR_LEVEL) | (flat.std(axis=1) > BAR_DEVIATION))
    return slice(int(shown[0]), int(shown[-1]) + 1) if shown.size else slice(0, len(lines))
