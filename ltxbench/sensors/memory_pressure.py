"""Whether the machine is short of memory, in the system's own terms."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.texts import text_of

WARNING_STALL = 1.0  # % of the last 10 s in which something waited for memory
CRITICAL_STALL = 10.0  # % in which everything did


@dataclass(frozen=True)
class MemoryPressure:
    """None is "not read"."""

    level: str | None = None
    """normal, warning or critical."""
    detail: str = ""


def read_memory_pressure() -> MemoryPressure:
    if sys.platform == "darwin":
        return from_level(macos_kernel.pressure_level())
    if sys.platform == "linux":
        return parse_psi(text_of(Path("/proc/pressure/memory")))
    return MemoryPressure()


def from_level(level: str | None) -> MemoryPressure:
    return MemoryPressure() if level is None else MemoryPressure(level, "kern.memorystatus_vm_pressure_level")


def parse_psi(text: str | None) -> MemoryPressure:
    """From /proc/pressure/memory (Documentation/accounting/psi.rst): shares of the last 10 seconds spent waiting."""
    shares = {
        found[1]: float(found[2]) for found in re.finditer(r"(?m)^(some|full) avg10=([0-9]+\.[0-9]+) ", text or "")
    }
    if set(shares) != {"some", "full"}:
        return MemoryPressure()
    level = "normal"
    if shares["full"] >= CRITICAL_STALL:
        level = "critical"
    elif shares["some"] >= WARNING_STALL:
        level = "warning"
    return MemoryPressure(level, f"{shares['some']:g}% of 10 s some process waited for memory")
