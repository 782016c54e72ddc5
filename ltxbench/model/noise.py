"""The noise a video starts from: drawn on the CPU by a counter-based generator, so that no chip changes it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ltxbench.errors import UsageError

STAGE_1_STREAM = 0
STAGE_2_STREAM = 1

_WORD = 2**64


def initial_noise(seed: int, shape: tuple[int, ...], *, stream: int = STAGE_1_STREAM) -> npt.NDArray[np.float32]:
    """Standard normal float32 from NumPy's Philox4x64 under the key seed + stream * 2^64.

    Different streams of one seed are independent; the same seed, stream and shape give the same bits everywhere.
    Raises UsageError unless seed and stream each fit 64 bits.
    """
    for name, value in (("seed", seed), ("stream", stream)):
        if not 0 <= value < _WORD:
            raise UsageError(f"{name} must be from 0 to 2^64 - 1, not {value}")
    generator = np.random.Generator(np.random.Philox(key=seed + stream * _WORD))
    return generator.standard_normal(shape, dtype=np.float32)


def sha256(array: npt.NDArray[Any]) -> str:
    """Hex digest of the array's elements in C order, little-endian; neither shape nor dtype enter."""
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(ordered.data).hexdigest()
