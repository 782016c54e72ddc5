"""One pass over a safetensors file: its sha256, and which tensors hold NaN or infinity."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ltxbench.errors import WeightsError
from ltxbench.weights.header import Header, StoredTensor

CHUNK_BYTES = 1 << 22


class Format(NamedTuple):
    """How a floating type writes what is not finite: its exponent's bits are all set."""

    bits: type[np.unsignedinteger]
    exponent: int
    mantissa: int


FORMATS = {
    "F64": Format(np.uint64, 0x7FF0_0000_0000_0000, 0x000F_FFFF_FFFF_FFFF),
    "F32": Format(np.uint32, 0x7F80_0000, 0x007F_FFFF),
    "F16": Format(np.uint16, 0x7C00, 0x03FF),
    "BF16": Format(np.uint16, 0x7F80, 0x007F),
    "F8_E5M2": Format(np.uint8, 0x7C, 0x03),
}
"""IEEE 754 and its short forms. Of F8_E4M3 only S.1111.111 is NaN, and none is infinite (OCP OFP8, 2023)."""


class NonFinite(NamedTuple):
    tensor: str
    nan: int
    infinite: int

    def __str__(self) -> str:
        counts = [f"{count:,} {what}" for count, what in ((self.nan, "NaN"), (self.infinite, "Inf")) if count]
        return f"{self.tensor} ({' and '.join(counts)})"


class Scan(NamedTuple):
    sha256: str
    nonfinite: tuple[NonFinite, ...]


def scan(path: Path, header: Header, progress: Callable[[int], None] | None = None) -> Scan:
    """Reads the whole file once; `progress` gets the number of bytes of every chunk. Raises WeightsError."""
    digest = hashlib.sha256()
    found = []
    try:
        with path.open("rb") as file:
            for _ in _chunks(file, header.data_start, digest.update, progress):
                pass
            for tensor in header.tensors:
                nan = infinite = 0
                for chunk in _chunks(file, tensor.end - tensor.start, digest.update, progress):
                    more = _count(tensor, chunk)
                    nan, infinite = nan + more[0], infinite + more[1]
                if nan or infinite:
                    found.append(NonFinite(tensor.name, nan, infinite))
            if file.read(1):
                raise WeightsError(f"{path}: became longer while it was read")
    except EOFError:
        raise WeightsError(f"{path}: became shorter while it was read") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    return Scan(digest.hexdigest(), tuple(found))


def _chunks(
    file: BinaryIO, size_bytes: int, update: Callable[[bytes], None], progress: Callable[[int], None] | None
) -> Iterator[bytes]:
    """Raises EOFError where the file is shorter."""
    while size_bytes:
        chunk = file.read(min(CHUNK_BYTES, size_bytes))
        # A whole number of elements, or this is the end.
        if not chunk or (len(chunk) % 8 and len(chunk) != size_bytes):
            raise EOFError
        size_bytes -= len(chunk)
        update(chunk)
        if progress:
            progress(len(chunk))
        yield chunk


def _count(tensor: StoredTensor, chunk: bytes) -> tuple[int, int]:
    """(NaN, infinite) elements of a piece of the tensor; of types without either, none."""
    if tensor.dtype in ("F8_E4M3", "F8_E8M0"):
        magnitude = np.frombuffer(chunk, np.uint8)
        nan = (magnitude & 0x7F) == 0x7F if tensor.dtype == "F8_E4M3" else magnitude == 0xFF
        return int(np.count_nonzero(nan)), 0
    form = FORMATS.get(tensor.dtype)
    if form is None:
        return 0, 0
    bits: npt.NDArray[np.unsignedinteger] = np.frombuffer(chunk, np.dtype(form.bits).newbyteorder("<"))
    suspect = bits[(bits & form.bits(form.exponent)) == form.exponent]
    nan_count = int(np.count_nonzero(suspect & form.bits(form.mantissa)))
    return nan_count, suspect.size - nan_count
