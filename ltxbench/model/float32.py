"""Float32 arithmetic as torch does it, where the last bit is worth having."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def linspace(start: float, stop: float, count: int) -> npt.NDArray[np.float32]:
    """[count] evenly spaced values, both ends included, equal to torch.linspace in float32.

    It rounds the step to float32, counts from the nearer end, and rounds each value once.
    """
    if count == 1:
        return np.array([start], np.float32)
    step = np.float64(np.float32(stop - start) / np.float32(count - 1))
    index = np.arange(count, dtype=np.float64)
    from_start, from_stop = start + step * index, stop - step * (count - 1 - index)
    return np.where(index < count // 2, from_start, from_stop).astype(np.float32)
