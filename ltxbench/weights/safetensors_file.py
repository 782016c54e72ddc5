"""Writes safetensors files in bfloat16 and float32 from NumPy arrays, the same bytes for the same values.

NumPy has no bfloat16, and the package's own writer takes raw addresses for it; the format is a length, a JSON
header and the data (https://github.com/huggingface/safetensors#format). Reading is always left to the package.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ALIGNMENT = 8


class Tensor(NamedTuple):
    """`bits` are the stored values: uint16 for BF16, float32 for F32."""

    dtype: str
    bits: npt.NDArray[np.uint16] | npt.NDArray[np.float32]


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes and syncs the file, wider elements first, so that every tensor is aligned. Raises OSError."""
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].bits.itemsize))
    layout = [(name, tensor.dtype, tensor.bits.shape, tensor.bits.itemsize) for name, tensor in tensors.items()]
    with path.open("wb") as file:
        file.write(header(layout, metadata))
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor.bits).astype(tensor.bits.dtype.newbyteorder("<"), copy=False).data)
        file.flush()
        os.fsync(file.fileno())


def header(layout: Iterable[tuple[str, str, tuple[int, ...], int]], metadata: Mapping[str, str]) -> bytes:
    """Length and JSON for tensors of (name, dtype, shape, bytes an element), stored one after the other."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, dtype, shape, itemsize in layout:
        start, end = end, end + math.prod(shape) * itemsize
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
