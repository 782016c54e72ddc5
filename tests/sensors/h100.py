"""NVML as an H100 answered (driver 580.159.04, nvidia-ml-py 13.615.71, in a container), idle and under load."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    pass


@dataclass
class RecordedNvml:
    """Stands for the module pynvml; a test changes the answers, and None is NVMLError_NotSupported."""

    answers: dict[str, Any] = field(default_factory=dict)
    violations_ns: dict[int, int] = field(default_factory=dict)

    NVMLError = NVMLError
    NVML_SUCCESS = 0
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
    NVML_VOLATILE_ECC = 0
    NVML_FI_DEV_POWER_INSTANT = 186
    NVML_PERF_POLICY_POWER = 0
    NVML_PERF_POLICY_THERMAL = 1
    NVML_PERF_POLICY_BOARD_LIMIT = 3
    NVML_PERF_POLICY_RELIABILITY = 5
    nvmlMemory_v2 = 0x2000028

    def nvmlDeviceGetViolationStatus(self, handle, policy):
        if policy not in self.violations_ns:
            raise NVMLError
        return SimpleNamespace(referenceTime=1795386469408850, violationTime=self.violations_ns[policy])

    def __getattr__(self, name):
        if not name.startswith("nvmlDeviceGet"):
            raise AttributeError(name)

        def ask(handle, *arguments):
            answer = self.answers.get(name)
            if answer is None:
                raise NVMLError
            return answer

        return ask


def idle() -> RecordedNvml:
    power = SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=72112))
    return RecordedNvml(
        {
            "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetTemperature": 36,
            "nvmlDeviceGetFieldValues": [power],
            "nvmlDeviceGetPowerUsage": 96790,
            "nvmlDeviceGetClockInfo": 345,
            "nvmlDeviceGetMaxClockInfo": 1980,
            "nvmlDeviceGetApplicationsClock": 1980,
            "nvmlDeviceGetEnforcedPowerLimit": 700000,
            "nvmlDeviceGetPowerManagementDefaultLimit": 700000,
            "nvmlDeviceGetTotalEnergyConsumption": 2215888,
            "nvmlDeviceGetCurrentClocksEventReasons": 1,
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=85520809984, used=0),
            "nvmlDeviceGetComputeRunningProcesses": [],
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=0, memory=0),
            "nvmlDeviceGetMigMode": [0, 0],
            "nvmlDeviceGetTotalEccErrors": 0,
            "nvmlDeviceGetPersistenceMode": 1,
            "nvmlDeviceGetDisplayActive": 0,
        },
        {0: 0, 1: 0, 3: 0, 5: 0},
    )


def loaded() -> RecordedNvml:
    """During 8192^3 bf16 products, by process 414: at the power limit, so that the clock is down to 1,320 MHz."""
    nvml = idle()
    nvml.answers |= {
        "nvmlDeviceGetTemperature": 59,
        "nvmlDeviceGetFieldValues": [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=680494))],
        "nvmlDeviceGetClockInfo": 1320,
        "nvmlDeviceGetTotalEnergyConsumption": 4105037,
        "nvmlDeviceGetCurrentClocksEventReasons": 4,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=85520809984, used=3207397376),
        "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=414, usedGpuMemory=3198156800)],
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=99, memory=32),
    }
    nvml.violations_ns |= {0: 1780530816}
    return nvml
