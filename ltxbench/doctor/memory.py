"""Judges whether memory is short: a machine that swaps measures its disk."""

from __future__ import annotations

from ltxbench.doctor.readings import MEMORY_PRESSURE, SWAP, failure, gib, ok, unknown, warning
from ltxbench.run.conditions import Reading
from ltxbench.sensors.memory_pressure import MemoryPressure
from ltxbench.sensors.swap import Swap

GROWING_BYTES = 1 << 20  # within the examination; less is the system's housekeeping
CLOSE = "Close other programs."


def judge_pressure(pressure: MemoryPressure) -> Reading:
    if pressure.level is None:
        return unknown(MEMORY_PRESSURE, "The system does not tell whether it is short of memory.")
    if pressure.level == "critical":
        return failure(MEMORY_PRESSURE, pressure.level, f"Memory is short: {pressure.detail}.", CLOSE)
    if pressure.level == "warning":
        return warning(MEMORY_PRESSURE, pressure.level, f"Memory is getting short: {pressure.detail}.", CLOSE)
    return ok(MEMORY_PRESSURE, pressure.level, pressure.detail)


def judge_swap(before: Swap, after: Swap) -> Reading:
    """Old pages in the swap do no harm; growth does."""
    if after.used_bytes is None:
        return unknown(SWAP, "The system does not tell how much is swapped out.")
    grown_bytes = _growth(before, after)
    if grown_bytes is not None and grown_bytes >= GROWING_BYTES:
        return failure(
            SWAP,
            f"{gib(after.used_bytes)}, growing",
            f"{grown_bytes >> 20} MiB were swapped out during this examination.",
            CLOSE,
        )
    if after.used_bytes == 0:
        return ok(SWAP, "none used" if after.total_bytes else "none")
    if grown_bytes is None:
        return warning(SWAP, gib(after.used_bytes), "Swap is in use, and its growth cannot be read.", CLOSE)
    return warning(SWAP, gib(after.used_bytes), "Swap is in use; it does not grow at the moment.", CLOSE)


def _growth(before: Swap, after: Swap) -> int | None:
    """By the counter of what was swapped out where there is one: use alone can shrink and grow."""
    if before.swapped_out_bytes is not None and after.swapped_out_bytes is not None:
        return max(0, after.swapped_out_bytes - before.swapped_out_bytes)
    if before.used_bytes is not None and after.used_bytes is not None:
        return max(0, after.used_bytes - before.used_bytes)
    return None
