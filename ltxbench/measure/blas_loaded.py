"""The BLAS that this process has got, as opposed to the one that was meant."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.measure.blas_copy import OURS

REFERENCE = "reference BLAS"
ACCELERATE = "Accelerate"


@dataclass(frozen=True)
class Loaded:
    """The BLAS behind the `cblas_sgemm` that this process finds first."""

    name: str
    version: str | None
    library: str
    threads: int | None


def loaded_blas() -> dict[str, str | int | None]:
    """What this process computes with, as the record's facts; ask after MLX was imported."""
    if sys.platform == "darwin":
        return {"blas": ACCELERATE}
    found = find_loaded()
    if found is None:
        return {"blas": REFERENCE if "/libblas" in Path("/proc/self/maps").read_text() else None}
    return {
        "blas": f"{found.name} {found.version}" if found.version else found.name,
        "blas_library": Path(found.library).name,
        "blas_threads": found.threads,
    }


class _DlInfo(ctypes.Structure):
    """`Dl_info` of dlfcn.h."""

    _fields_ = (
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    )


def find_loaded() -> Loaded | None:
    """None when nothing was preloaded: MLX's own BLAS is not visible to others."""
    process = ctypes.CDLL(None)
    try:
        gemm = process.cblas_sgemm
    except AttributeError:
        return None
    info = _DlInfo()
    if not process.dladdr(ctypes.cast(gemm, ctypes.c_void_p), ctypes.byref(info)) or not info.dli_fname:
        return None
    library = os.fsdecode(info.dli_fname)
    version, threads = _version_and_threads(ctypes.CDLL(library))
    lowered = Path(library).name.lower()
    name = next((name for name in ("MKL", "BLIS", "OpenBLAS") if name.lower() in lowered), lowered)
    return Loaded(name, version, library, threads)


def _version_and_threads(library: ctypes.CDLL) -> tuple[str | None, int | None]:
    version: str | None = None
    threads: int | None = None
    for prefix in ("", "scipy_", f"{OURS}scipy_", OURS):
        if config := getattr(library, f"{prefix}openblas_get_config", None):
            config.restype = ctypes.c_char_p
            words = config().decode().split()
            version = words[1] if len(words) > 1 else None
            threads = getattr(library, f"{prefix}openblas_get_num_threads")()
        elif text := getattr(library, f"{prefix}bli_info_get_version_str", None):
            text.restype = ctypes.c_char_p
            version = text().decode()
    if hasattr(library, "MKL_Get_Max_Threads"):
        threads = library.MKL_Get_Max_Threads()
        buffer = ctypes.create_string_buffer(198)
        library.MKL_Get_Version_String(buffer, len(buffer))
        version = next((word for word in buffer.value.decode().split() if word[0].isdigit()), None)
    return version, threads


def multiplies_correctly() -> bool:
    """[[1,2],[3,4]] squared, row-major, through the cblas_sgemm that this process finds first."""
    square = (ctypes.c_float * 4)(1, 2, 3, 4)
    product = (ctypes.c_float * 4)()
    row_major, no_transpose, one, zero = 101, 111, ctypes.c_float(1), ctypes.c_float(0)
    ctypes.CDLL(None).cblas_sgemm(
        row_major, no_transpose, no_transpose, 2, 2, 2, one, square, 2, square, 2, zero, product, 2
    )
    return list(product) == [7, 10, 15, 22]
