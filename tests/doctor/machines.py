"""Whole machines, put together from recorded sensors; a test changes one thing about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ltxbench.doctor.canary import CanaryReport, Check
from ltxbench.doctor.readers import Readers
from ltxbench.sensors.apple_gpu import parse_ioreg
from ltxbench.sensors.control_group import Limits
from ltxbench.sensors.display import Display
from ltxbench.sensors.load import Load
from ltxbench.sensors.memory_pressure import MemoryPressure
from ltxbench.sensors.nvidia import Nvidia
from ltxbench.sensors.power import Power
from ltxbench.sensors.swap import Swap
from ltxbench.sensors.thermal import Thermal
from ltxbench.sensors.virtual import Virtual
from tests.sensors import h100, recorded

MACBOOK = Readers(
    platform="darwin",
    power=lambda: Power("ac", False, "automatic"),
    thermal=lambda: Thermal("thermal pressure nominal", pressed=False),
    pressure=lambda: MemoryPressure("normal", "kern.memorystatus_vm_pressure_level"),
    swap=lambda: Swap(0, 0, 0),
    load=lambda: Load(cores=16, others=0.4, average=1.0),
    load_average=lambda: 1.0,
    limits=Limits,
    virtual=lambda: Virtual(machine=False),
    display=lambda: Display(("Color LCD",), asleep=False),
    accelerators=lambda: parse_ioreg(
        recorded.IOREG_M3_MAX.replace('"Device Utilization %"=16', '"Device Utilization %"=2')
    ),
    nvidia=lambda: None,
    macmon=lambda: None,
    own=lambda: frozenset({1}),
)
CONTAINER = replace(
    MACBOOK,
    platform="linux",
    power=Power,
    thermal=Thermal,
    load=lambda: Load(cores=2, others=1.9, stolen=0.0, average=9.0, heavy=("python",)),
    virtual=lambda: Virtual(True, "kvm", "docker"),
    display=Display,
    accelerators=lambda: None,
)
"""What a test or a CI job runs in: little can be read, and others are busy."""


def h100_server(nvml: Any) -> Readers:
    return replace(CONTAINER, nvidia=lambda: Nvidia(nvml, "handle"))


def right() -> CanaryReport:
    check = Check(name="matmul, 8 rows, bfloat16", max_error=0.007, limit=0.02, ok=True)
    return CanaryReport(dtype="bfloat16", device="Apple M3 Max", checks=(check,), duration_s=1.0)


H100 = h100
