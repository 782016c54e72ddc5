"""The header of a safetensors file, checked before anything else is read. Imports no MLX.

The safetensors package's own reader is the authority: what it refuses is refused. What is checked here besides is what
it accepts and others misread, and where its message does not say which tensor or how many bytes.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import BinaryIO

from safetensors import SafetensorError, safe_open

from ltxbench.errors import WeightsError
from ltxbench.matrix.problems import quoted
from ltxbench.regular import NotRegular, open_regular
from ltxbench.weights import other_formats
from ltxbench.weights.strict_json import StrictJsonError, parse

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
MAX_NAME = 1_000
MAX_AXES = 16
MAX_LENGTH = 2**31 - 1
"""Of one axis: MLX counts in 32 bits."""

BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
}
"""Of one element. For messages alone: what a type is, the package decides."""

AGAIN = "Download it again, or copy it again from where it came."


@dataclass(frozen=True)
class StoredTensor:
    """`start` and `end` are bytes from the beginning of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    tensors: tuple[StoredTensor, ...]
    """In the order of their data, which they cover without a gap."""
    metadata: Mapping[str, str]
    data_start: int
    """Bytes from the beginning of the file."""


def read_header(path: Path) -> Header:
    """Reads no tensor. Raises WeightsError that says what is wrong with the file, and where."""
    try:
        with open_regular(path, follow=True) as file:
            text, size_bytes = _text(file, path)
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
            accepted = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except SafetensorError as error:
        why = _explained(text, size_bytes - 8 - len(text)) or ascii(str(error))[1:-1]
        raise _invalid(path, why) from None
    except FileNotFoundError:
        raise WeightsError(
            f"{path}: no such weights file", hint="`ltxbench models list` says what is needed."
        ) from None
    except NotRegular:
        raise WeightsError(f"{path}: no such weights file; what is there is a folder, a pipe or a device") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from None
    tensors = _tensors(text, accepted, path)
    return Header(tensors, metadata, 8 + len(text))


def _text(file: BinaryIO, path: Path) -> tuple[bytes, int]:
    """The header's JSON and the file's size; its length is believed only where the file can hold it."""
    file_bytes = os.fstat(file.fileno()).st_size
    start = file.read(64)
    other_formats.refuse(path, start)
    if len(start) < 8:
        raise _invalid(path, f"it has {len(start)} bytes, and a header starts with 8")
    length = int.from_bytes(start[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise _invalid(path, f"its header would have {length:,} bytes; at most {MAX_HEADER_BYTES:,} are allowed")
    if 8 + length > file_bytes:
        raise _invalid(path, f"it ends within its header: {file_bytes:,} bytes of at least {8 + length:,}")
    file.seek(8)
    text = file.read(length)
    if len(text) != length:
        raise _invalid(path, "it became shorter while it was read")
    return text, file_bytes


def _tensors(text: bytes, accepted: Mapping[str, tuple[str, tuple[int, ...]]], path: Path) -> tuple[StoredTensor, ...]:
    """What the package accepted, written in the one form that every other reader understands alike."""
    try:
        entries = parse(text)
    except StrictJsonError as error:
        raise _invalid(path, f"header: {error}") from None
    assert isinstance(entries, dict)
    tensors = []
    for name, (dtype, shape) in accepted.items():
        if len(name) > MAX_NAME or not name.isprintable():
            raise _invalid(path, f"a tensor is called {quoted(name)}: at most {MAX_NAME:,} printable characters")
        entry = entries.get(name)
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise _invalid(path, f"tensor {quoted(name)} is not an object of dtype, shape and data_offsets alone")
        if entry["dtype"] != dtype or tuple(entry["shape"]) != shape:
            raise _invalid(path, f"tensor {quoted(name)} has its type or shape written in an unusual form")
        if len(shape) > MAX_AXES or max(shape, default=0) > MAX_LENGTH:
            raise _invalid(path, f"tensor {quoted(name)} has a shape that MLX cannot hold: {_shown(shape)}")
        start, end = entry["data_offsets"]
        tensors.append(StoredTensor(name, dtype, shape, start, end))
    return tuple(sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)))


def _explained(text: bytes, data_bytes: int) -> str | None:
    """What the package refused, said with names and numbers; None where this finds nothing to add."""
    try:
        entries = parse(text)
    except StrictJsonError as error:
        return f"header: {error}"
    if not isinstance(entries, dict):
        return "its header is not a JSON object"
    spans = []
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or not _is_span(entry.get("data_offsets")):
            return f"tensor {quoted(name)} has no data_offsets of two whole numbers from 0 to 2^64"
        start, end = entry["data_offsets"]
        if end < start:
            return f"tensor {quoted(name)} ends before it starts: {start:,} to {end:,}"
        spans.append((start, end, name))
    position, before = 0, "the header"
    for start, end, name in sorted(spans):
        if start < position:
            return f"{before} and {quoted(name)} overlap by {position - start:,} bytes"
        if start > position:
            return f"{start - position:,} bytes between {before} and tensor {quoted(name)} belong to no tensor"
        position, before = end, f"tensor {quoted(name)}"
    if position > data_bytes:
        return f"it is truncated: {data_bytes:,} bytes of data, and the header describes {position:,}"
    if position < data_bytes:
        return f"{data_bytes - position:,} bytes after the last tensor belong to none"
    return _misshapen(entries)


def _is_span(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(type(edge) is int and 0 <= edge < 2**64 for edge in value)
    )


def _misshapen(entries: Mapping[str, object]) -> str | None:
    for name, entry in entries.items():
        shape = entry.get("shape") if name != "__metadata__" and isinstance(entry, dict) else []
        if not isinstance(shape, list) or not all(type(axis) is int and axis >= 0 for axis in shape):
            return f"tensor {quoted(name)} has no shape of whole numbers"
        # As the package multiplies, also where an axis is 0; and no further, as millions of axes would take hours.
        if any(count >= 2**64 for count in accumulate(shape, mul)):
            return f"tensor {quoted(name)} has a shape of more elements than 64 bits count: {_shown(shape)}"
        if name == "__metadata__" or not isinstance(entry, dict):
            continue
        dtype, (start, end) = entry.get("dtype"), entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in BITS:
            return f"tensor {quoted(name)} is of type {quoted(str(dtype))}, which safetensors does not know"
        if end - start != math.prod(shape) * BITS[dtype] / 8:
            return f"tensor {quoted(name)} is {dtype} {_shown(shape)} in {end - start:,} bytes, which does not add up"
    return None


def _shown(shape: object) -> str:
    return quoted(json.dumps(shape))


def _invalid(path: Path, why: str) -> WeightsError:
    return WeightsError(f"{path}: not a valid safetensors file: {why}", hint=AGAIN)
