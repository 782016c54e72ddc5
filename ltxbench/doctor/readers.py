"""The sensors that an examination and a look at the machine ask; tests put recorded ones in their place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from ltxbench.sensors.apple_gpu import Accelerator, read_accelerators
from ltxbench.sensors.control_group import Limits, read_limits
from ltxbench.sensors.display import Display, read_display
from ltxbench.sensors.load import Load, load_average, own_processes, read_load
from ltxbench.sensors.macmon_meter import MacmonMeter, open_macmon
from ltxbench.sensors.memory_pressure import MemoryPressure, read_memory_pressure
from ltxbench.sensors.nvidia import Nvidia, nvidia
from ltxbench.sensors.power import Power, read_power
from ltxbench.sensors.swap import Swap, read_swap
from ltxbench.sensors.thermal import Thermal, read_thermal
from ltxbench.sensors.virtual import Virtual, read_virtual


@dataclass(frozen=True)
class Readers:
    platform: str = sys.platform
    power: Callable[[], Power] = read_power
    thermal: Callable[[], Thermal] = read_thermal
    pressure: Callable[[], MemoryPressure] = read_memory_pressure
    swap: Callable[[], Swap] = read_swap
    load: Callable[[], Load] = read_load
    load_average: Callable[[], float | None] = load_average
    limits: Callable[[], Limits] = read_limits
    virtual: Callable[[], Virtual] = read_virtual
    display: Callable[[], Display] = read_display
    accelerators: Callable[[], tuple[Accelerator, ...] | None] = read_accelerators
    nvidia: Callable[[], Nvidia | None] = nvidia
    macmon: Callable[[], MacmonMeter | None] = open_macmon
    own: Callable[[], frozenset[int]] = own_processes
