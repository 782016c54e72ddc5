"""How much of a GPU's own memory this process holds, by the GPU's counter. A Mac's GPU has none of its own."""

from __future__ import annotations

import os
from typing import Protocol

from ltxbench.sensors.nvidia import GpuMemory, GpuProcess, nvidia

PROCESS_SOURCE = "NVML, this process"
DEVICE_SOURCE = "NVML, growth of the whole device since the process began"


class Device(Protocol):
    def memory(self) -> GpuMemory | None: ...

    def processes(self) -> tuple[GpuProcess, ...] | None: ...


class DeviceMemory:
    """Called, it answers bytes; `source` says what they are, as far as that is known by then.

    Where the driver lists this process its own figure counts. In a container it may not, and then the growth of the
    whole device stands in for it; before the first allocation both are 0.
    """

    def __init__(self, device: Device, pid: int) -> None:
        self._device = device
        self._pid = pid
        self._listed = False
        memory = device.memory()
        self._start_bytes = None if memory is None else memory.used_bytes

    @property
    def source(self) -> str:
        return PROCESS_SOURCE if self._listed else DEVICE_SOURCE

    def __call__(self) -> int | None:
        """None when it cannot be read. About 0.1 ms."""
        for process in self._device.processes() or ():
            if process.pid == self._pid and process.used_bytes is not None:
                self._listed = True
                return process.used_bytes
        memory = self._device.memory()
        if self._listed or memory is None or self._start_bytes is None:
            return None
        return max(0, memory.used_bytes - self._start_bytes)


def device_memory_reader() -> DeviceMemory | None:
    """For this process; make it before the first allocation on the GPU. None without a GPU that can be asked."""
    device = nvidia()
    return None if device is None else DeviceMemory(device, os.getpid())
