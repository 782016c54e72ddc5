"""Random numbers and bfloat16 that come out the same, bit for bit, on every machine.

Only integer arithmetic and correctly rounded float operations are used: no logarithm, no BLAS, no reduction whose
order depends on the processor.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ltxbench.weights.tiny.sizes import SEED

F32 = npt.NDArray[np.float32]

# Four uniform 16-bit integers added up: mean and standard deviation, both exact before rounding.
_MEAN = np.float32(2 * 65535)
_STD = np.float32(math.sqrt((65536**2 - 1) / 3))


def normal(label: str, shape: Sequence[int], std: float = 1.0, mean: float = 0.0) -> F32:
    """Nearly normal values (Irwin-Hall of four) from a Philox stream of their own, keyed by seed and label."""
    count = math.prod(shape)
    key = int.from_bytes(hashlib.sha256(f"{SEED}/{label}".encode()).digest()[:16], "little")
    raw = np.random.Philox(key=key).random_raw(count).astype("<u8", copy=False)
    total = raw.view("<u2").reshape(count, 4).astype(np.int64).sum(axis=1)
    unit = (total.astype(np.float32) - _MEAN) / _STD
    values: F32 = (unit * np.float32(std) + np.float32(mean)).reshape(tuple(shape))
    return values


def bfloat16_bits(values: F32) -> npt.NDArray[np.uint16]:
    """Rounds to the nearest bfloat16, ties to even. `values` are finite."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    rounded: npt.NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return rounded


def as_bfloat16(values: F32) -> F32:
    """The float32 values that bfloat16 can hold."""
    wide: F32 = (bfloat16_bits(values).astype("<u4") << 16).view("<f4")
    return wide


def outer_sum(b: F32, a: F32) -> F32:
    """b @ a for [out,r] and [r,in], added up rank by rank, so that no BLAS decides the order."""
    total = np.zeros((b.shape[0], a.shape[1]), np.float32)
    for rank in range(a.shape[0]):
        total += b[:, rank, None] * a[None, rank, :]
    return total
