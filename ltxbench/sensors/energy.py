"""Cumulative energy, where the machine can say: NVML, Apple silicon through macmon, the CPU's own counter."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ltxbench.sensors.nvidia import Nvidia, nvidia
from ltxbench.sensors.rapl import open_rapl

SHORTEST_TICKS = 5
"""A stretch of fewer ticks of the counter has no figure: each end may be off by one."""
FRESH_TICKS = 0.2
"""So long after a reading the next one would most likely be the same."""


class EnergyMeter(Protocol):
    """One at a time in a process, called from one thread."""

    @property
    def source(self) -> str:
        """Which counter, and of what."""

    @property
    def resolution_s(self) -> float:
        """How often the counter moves."""

    def read_j(self) -> float | None:
        """Joules since some origin; differences count. None when it cannot be read, or lost its origin."""


class NvmlMeter:
    """The whole card: GPU, memory and what feeds them."""

    source = "GPU card, NVML's energy counter"
    resolution_s = 0.1

    def __init__(self, device: Nvidia) -> None:
        self._device = device

    def read_j(self) -> float | None:
        return self._device.energy_j()


def energy_meter(accelerator: str | None) -> EnergyMeter | None:
    """For work on `accelerator`, the name of a GPU, or on the CPU; None where the machine cannot say."""
    if sys.platform == "darwin":
        from ltxbench.sensors.macmon_meter import open_macmon

        return open_macmon()
    if accelerator is not None:
        device = nvidia()
        return NvmlMeter(device) if device is not None and device.energy_j() is not None else None
    return open_rapl(Path("/sys/class/powercap")) if sys.platform == "linux" else None


def stretch_j(start_j: float | None, end_j: float | None, duration_s: float, resolution_s: float) -> float | None:
    """Energy of a stretch; None when it was not read, is too short for the counter, or the counter restarted."""
    if start_j is None or end_j is None or end_j < start_j or duration_s < SHORTEST_TICKS * resolution_s:
        return None
    return end_j - start_j


def stretches_j(parts: Sequence[tuple[float | None, float]], resolution_s: float) -> float | None:
    """Energy of several stretches together, each (joules between its ends, seconds).

    Every end may be off by one tick either way, so that short ones count if others make up for them: together they
    must last as long as that many stretches of the least length. None as for `stretch_j`.
    """
    energies = [energy for energy, _ in parts if energy is not None]
    if not parts or len(energies) < len(parts):
        return None
    long_enough = sum(duration_s for _, duration_s in parts) >= len(parts) * SHORTEST_TICKS * resolution_s
    return sum(energies) if long_enough else None


def idle_power_w(
    meter: EnergyMeter,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> float | None:
    """Mean power while this process sleeps for `seconds`; None when the counter cannot tell in that time."""
    before_j, start_s = meter.read_j(), clock()
    sleep(seconds)
    after_j, elapsed_s = meter.read_j(), clock() - start_s
    energy_j = stretch_j(before_j, after_j, elapsed_s, meter.resolution_s)
    return None if energy_j is None else energy_j / elapsed_s
