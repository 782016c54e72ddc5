"""Where the kernels run in a test, and how near they must come to the plain operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx
import numpy as np


@dataclass(frozen=True)
class Device:
    dtype: mx.Dtype
    rounding: float
    """Relative error of one operation's rounding, with some room."""
    without_kernels: Callable[[], None]
    """From then on the plain operations run."""

    def draw(self, *shape: int) -> mx.array:
        return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)).astype(self.dtype)


def relative_error(out: mx.array, ref: mx.array) -> float:
    out, ref = out.astype(mx.float32), ref.astype(mx.float32)
    return float(np.linalg.norm(np.array(out - ref)) / np.linalg.norm(np.array(ref)))
