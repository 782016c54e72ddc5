"""Energy of the CPU packages, counted by the CPU (RAPL) and shown in /sys/class/powercap by Intel and AMD alike.

Most systems let only root read it, since its fine steps leak what other processes do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ltxbench.sensors.texts import folders_in, number_of, text_of

MOST_POWER_W = 600.0  # of one package; a counter left alone longer than this could wrap in may have wrapped unseen


class RaplMeter:
    """The packages alone: neither memory modules, nor disks, nor the power supply's losses."""

    source = "CPU packages, RAPL"
    resolution_s = 0.001

    def __init__(self, packages: list[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._packages = packages
        self._clock = clock
        self._ranges_uj = [number_of(package / "max_energy_range_uj") for package in packages]
        self._last_uj = [number_of(package / "energy_uj") for package in packages]
        self._last_s = clock()
        self._total_uj = 0
        self._lost = None in self._ranges_uj or None in self._last_uj

    def read_j(self) -> float | None:
        """The counters wrap, every 40 minutes at 100 W: left alone for longer than that, the total is lost for good."""
        now_s = self._clock()
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        for index, package in enumerate(self._packages):
            energy_uj, range_uj = number_of(package / "energy_uj"), self._ranges_uj[index]
            before_uj, self._last_uj[index] = self._last_uj[index], energy_uj
            if energy_uj is None or before_uj is None or not range_uj or elapsed_s * MOST_POWER_W * 1e6 >= range_uj:
                self._lost = True
            else:
                self._total_uj += (energy_uj - before_uj) % range_uj
        return None if self._lost else self._total_uj / 1e6


def open_rapl(folder: Path) -> RaplMeter | None:
    """None when there is no counter or it may not be read."""
    packages = [
        path
        for path in folders_in(folder, "intel-rapl:*")
        # intel-rapl:0:0 is a part of intel-rapl:0; psys contains them all.
        if (text_of(path / "name") or "").startswith("package") and number_of(path / "energy_uj") is not None
    ]
    return RaplMeter(packages) if packages else None
