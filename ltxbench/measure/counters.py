"""The machine's counters beside MLX's and the process's own: the GPU's memory, the swap, the energy meter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltxbench.sensors.device_memory import DeviceMemory, device_memory_reader
from ltxbench.sensors.energy import FRESH_TICKS, SHORTEST_TICKS, EnergyMeter, energy_meter, stretch_j, stretches_j
from ltxbench.sensors.swap import swapped_out_bytes


@dataclass(frozen=True)
class Counters:
    """What is not there answers None."""

    device_memory: DeviceMemory | None = None
    meter: EnergyMeter | None = None
    count_swap: bool = False

    def device(self) -> int | None:
        return self.device_memory() if self.device_memory else None

    def device_source(self) -> str | None:
        return self.device_memory.source if self.device_memory else None

    def swapped_out(self) -> int | None:
        """Bytes since the machine started."""
        return swapped_out_bytes() if self.count_swap else None

    def energy(self) -> float | None:
        """Joules since some origin."""
        return self.meter.read_j() if self.meter else None

    def long_enough(self, duration_s: float) -> bool:
        """Whether the meter can tell the energy of a stretch of that length."""
        return self.meter is not None and duration_s >= SHORTEST_TICKS * self.meter.resolution_s

    def fresh_s(self) -> float:
        """How long a reading of the meter serves for one of now."""
        return FRESH_TICKS * self.meter.resolution_s if self.meter else 0.0

    def stretch_j(self, begin_j: float | None, end_j: float | None, duration_s: float) -> float | None:
        """Energy of a stretch; None where it is too short for the meter."""
        return stretch_j(begin_j, end_j, duration_s, self.meter.resolution_s) if self.meter else None

    def stretches_j(self, parts: Sequence[tuple[float | None, float]]) -> float | None:
        """Energy of (joules, seconds) stretches together; None where they are too short for the meter."""
        return stretches_j(parts, self.meter.resolution_s) if self.meter else None


def machine_counters(accelerator: str | None) -> Counters:
    """For work on `accelerator`, or on the CPU; made before the first allocation on the GPU."""
    return Counters(
        device_memory=device_memory_reader() if accelerator is not None else None,
        meter=energy_meter(accelerator),
        count_swap=True,
    )


def grown(before: int | None, after: int | None) -> int | None:
    """None where either end was not read; a counter that started anew has not grown."""
    return None if before is None or after is None else max(0, after - before)


def grown_j(before_j: float | None, after_j: float | None) -> float | None:
    """None where either end was not read, or the meter started anew."""
    return None if before_j is None or after_j is None or after_j < before_j else after_j - before_j
