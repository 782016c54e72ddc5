"""Safetensors files as bytes, right and wrong ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "U8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "U32": 32}


def entries(tensors: Mapping[str, tuple[str, list[int]]]) -> dict[str, Any]:
    """The header of these (type, shape), one after the other."""
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return header


def with_header(header: object, data: bytes = b"") -> bytes:
    """`header` as it is where it is bytes, else as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def stored(tensors: Mapping[str, tuple[str, list[int]]], data: bytes | None = None) -> bytes:
    """A whole file; of zeros where no data is given."""
    header = entries(tensors)
    size_bytes = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    return with_header(header, bytes(size_bytes) if data is None else data)
