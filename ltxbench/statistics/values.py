"""Samples on their way into a calculation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def finite(samples: Sequence[float] | Floats) -> Floats:
    """One dimension of float64. Raises ValueError for NaN and infinity: what is absent is left out, not passed on."""
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"samples have one dimension, not {values.ndim}")
    if not np.isfinite(values).all():
        raise ValueError("a sample is NaN or infinite")
    return values
