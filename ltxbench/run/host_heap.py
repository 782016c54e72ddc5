"""What becomes of large arrays' memory on a CPU of Linux when they are freed.

glibc maps each large block anew and returns it when it is freed, so that every intermediate of a decoding is page
faults once more; MLX's own cache helps where sizes repeat, which they hardly do within one decoding. Kept in the heap,
freed memory serves blocks of any size. Measured gain: docs/performance.md.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of mallopt(3)."""
KEPT_BYTES = (1 << 31) - 1
"""At the heap's end; the largest number that mallopt takes."""


def keep_freed_memory() -> bool:
    """Lets this process's heap keep it from now on; whether that could be had: of glibc alone."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
