"""Who uses the GPU of a Mac, from the I/O registry. Needs no privilege; unconfirmed on a Mac."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from ltxbench.sensors.texts import printed_by

COMMAND = ("/usr/sbin/ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator")
PARAVIRTUAL = re.compile(r"paravirt", re.IGNORECASE)


@dataclass(frozen=True)
class Accelerator:
    """One GPU as the registry lists it; None is "not listed"."""

    driver: str
    """The driver's class: AGXAcceleratorG16X, AppleParavirtGPU, ..."""
    used_percent: float | None = None
    """Of the last moments, by all processes."""
    used_bytes: int | None = None
    """Of system memory, by all processes."""

    @property
    def paravirtual(self) -> bool:
        return is_paravirtual(self.driver)


def is_paravirtual(name: str) -> bool:
    """By the name of a device or its driver: a virtual machine's stand-in for the host's GPU."""
    return PARAVIRTUAL.search(name) is not None


def read_accelerators() -> tuple[Accelerator, ...] | None:
    """None where there is no registry; some 10 ms."""
    return parse_ioreg(printed_by(*COMMAND)) if sys.platform == "darwin" else None


def parse_ioreg(text: str | None) -> tuple[Accelerator, ...] | None:
    """From `ioreg -r -d 1 -w 0 -c IOAccelerator`; None when it lists no accelerator."""
    found = []
    for part in re.split(r"^(?=\+-o )", text or "", flags=re.MULTILINE):
        header = re.match(r"\+-o [^<\n]*<class (\w+)[,>]", part)
        if header is None:
            continue
        statistics = re.search(r'"PerformanceStatistics" = \{([^}\n]*)\}', part)
        values = dict(re.findall(r'"([^"]+)"=([0-9]+)', statistics[1])) if statistics else {}
        used_percent = values.get("Device Utilization %")
        used_bytes = values.get("In use system memory")
        found.append(
            Accelerator(
                driver=header[1],
                used_percent=float(used_percent) if used_percent and int(used_percent) <= 100 else None,
                used_bytes=int(used_bytes) if used_bytes and int(used_bytes) < 1 << 50 else None,
            )
        )
    return tuple(found) or None
