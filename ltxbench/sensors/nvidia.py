"""An NVIDIA GPU through NVML, the driver's own library, which can be asked without touching CUDA.

Costs and behaviour were measured on an H100 with driver 580; a function that a GPU or a driver lacks answers None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

SLOWED_BY = {
    0x08: "hardware slowdown",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
}
"""Reasons for which a GPU is slower than it would be in a cool machine with enough power."""

HELD_BY = {
    0x002: "application clocks",
    0x004: "power limit",
    0x010: "sync boost",
    0x100: "display clocks",
}
"""Reasons that belong to how the GPU is built or set: a card at its power limit is at its rated speed."""


@dataclass(frozen=True)
class GpuProcess:
    pid: int
    """0 or a stranger's in a container with process numbers of its own."""
    used_bytes: int | None


@dataclass(frozen=True)
class GpuMemory:
    total_bytes: int
    used_bytes: int
    """By everybody, without what the driver keeps for itself where it tells."""


class Nvidia:
    """One device. `nvml` is the module pynvml, initialised; every answer is None where there is none."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle

    def name(self) -> str | None:
        name = self._ask("nvmlDeviceGetName")
        return name.decode() if isinstance(name, bytes) else name

    def temperature_c(self) -> float | None:
        value = self._ask("nvmlDeviceGetTemperature", self._nvml.NVML_TEMPERATURE_GPU)
        return None if value is None else float(value)

    def power_w(self) -> float | None:
        """At this moment; `nvmlDeviceGetPowerUsage` alone lags by about a second on recent GPUs."""
        milliwatts = self._field("NVML_FI_DEV_POWER_INSTANT")
        if milliwatts is None:
            milliwatts = self._ask("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1e3

    def clock_mhz(self) -> float | None:
        value = self._ask("nvmlDeviceGetClockInfo", self._nvml.NVML_CLOCK_SM)
        return None if value is None else float(value)

    def top_clock_mhz(self) -> float | None:
        value = self._ask("nvmlDeviceGetMaxClockInfo", self._nvml.NVML_CLOCK_SM)
        return None if value is None else float(value)

    def set_clock_mhz(self) -> float | None:
        """The application clock: the highest that the administrator allows."""
        value = self._ask("nvmlDeviceGetApplicationsClock", self._nvml.NVML_CLOCK_SM)
        return None if value is None else float(value)

    def power_limits_w(self) -> tuple[float, float] | None:
        """The limit in force, and the card's own."""
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        default = self._ask("nvmlDeviceGetPowerManagementDefaultLimit")
        return None if limit is None or default is None else (limit / 1e3, default / 1e3)

    def energy_j(self) -> float | None:
        """Since the driver was loaded. Moves every 100 ms; asking takes 2 to 8 ms and holds up the GPU."""
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        return None if millijoules is None else millijoules / 1e3

    def reasons(self) -> int | None:
        """Bits of why the clock is what it is now: keys of SLOWED_BY and HELD_BY."""
        mask = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if mask is None:  # the name that older drivers know
            mask = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return None if mask is None else int(mask)

    def slowed_s(self) -> float | None:
        """Time spent slower for the reasons in SLOWED_BY since the driver was loaded; it only grows."""
        policies = ("NVML_PERF_POLICY_THERMAL", "NVML_PERF_POLICY_BOARD_LIMIT", "NVML_PERF_POLICY_RELIABILITY")
        return self._violations_s(*policies)

    def power_limited_s(self) -> float | None:
        """Time spent at the power limit since the driver was loaded; it only grows."""
        return self._violations_s("NVML_PERF_POLICY_POWER")

    def memory(self) -> GpuMemory | None:
        """The second version of the call leaves out what the driver reserves (0.5 GB on an H100)."""
        version = getattr(self._nvml, "nvmlMemory_v2", None)
        info = None if version is None else self._ask("nvmlDeviceGetMemoryInfo", version)
        info = info if info is not None else self._ask("nvmlDeviceGetMemoryInfo")
        return None if info is None else GpuMemory(int(info.total), int(info.used))

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """Those that compute. Empty in many containers although the GPU is in use."""
        found = self._ask("nvmlDeviceGetComputeRunningProcesses")
        if found is None:
            return None
        return tuple(GpuProcess(int(process.pid), process.usedGpuMemory) for process in found)

    def used_percent(self) -> float | None:
        """Share of the last moments (a sixth of a second to a second) in which some kernel ran."""
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        return None if rates is None else float(rates.gpu)

    def partitioned(self) -> bool | None:
        """Multi-instance GPU is on; None where the GPU cannot."""
        mode = self._ask("nvmlDeviceGetMigMode")
        return None if mode is None else bool(mode[0])

    def uncorrected_errors(self) -> int | None:
        """Memory errors since the driver was loaded that ECC could not correct; None where ECC is off."""
        nvml = self._nvml
        count = self._ask(
            "nvmlDeviceGetTotalEccErrors", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        )
        return None if count is None else int(count)

    def persistent(self) -> bool | None:
        """The driver stays loaded while nobody uses the GPU; else its counters restart."""
        mode = self._ask("nvmlDeviceGetPersistenceMode")
        return None if mode is None else bool(mode)

    def shows_display(self) -> bool | None:
        active = self._ask("nvmlDeviceGetDisplayActive")
        return None if active is None else bool(active)

    def _ask(self, name: str, *arguments: Any) -> Any:
        function: Callable[..., Any] | None = getattr(self._nvml, name, None)
        if function is None:
            return None
        try:
            return function(self._handle, *arguments)
        except self._nvml.NVMLError:
            return None

    def _field(self, name: str) -> int | None:
        identity = getattr(self._nvml, name, None)
        values = None if identity is None else self._ask("nvmlDeviceGetFieldValues", [identity])
        if not values or values[0].nvmlReturn != self._nvml.NVML_SUCCESS:
            return None
        return int(values[0].value.uiVal)

    def _violations_s(self, *policies: str) -> float | None:
        statuses = [self._ask("nvmlDeviceGetViolationStatus", getattr(self._nvml, policy)) for policy in policies]
        known = [status.violationTime / 1e9 for status in statuses if status is not None]
        return sum(known) if known else None


@cache
def nvidia() -> Nvidia | None:
    """The GPU that CUDA calls number 0 in this process; None without the library, the driver or a device."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = _handle(pynvml, os.environ)
    except pynvml.NVMLError:
        return None
    return None if handle is None else Nvidia(pynvml, handle)


def _handle(nvml: Any, environment: Mapping[str, str]) -> Any:
    """Follows CUDA_VISIBLE_DEVICES: a number, or an identity such as GPU-c876ba3c or MIG-...

    CUDA numbers a machine's different GPUs by speed unless CUDA_DEVICE_ORDER=PCI_BUS_ID, NVML always by bus.
    """
    first = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if first.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(first))
    if not first.startswith(("GPU-", "MIG-")):
        return None  # an empty list, or -1: CUDA sees no device
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        identity = nvml.nvmlDeviceGetUUID(handle)
        if (identity.decode() if isinstance(identity, bytes) else identity).startswith(first):
            return handle
    return nvml.nvmlDeviceGetHandleByUUID(first)


def reason_names(mask: int, names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(name for bit, name in names.items() if mask & bit)
