from __future__ import annotations

from types import SimpleNamespace

import pytest

from ltxbench.sensors.device_memory import DEVICE_SOURCE, PROCESS_SOURCE, DeviceMemory
from ltxbench.sensors.nvidia import HELD_BY, SLOWED_BY, GpuMemory, GpuProcess, Nvidia, reason_names
from tests.sensors import h100

ASKED = [name for name in vars(Nvidia) if not name.startswith("_")]


def test_an_h100_under_load_is_read():
    gpu = Nvidia(h100.loaded(), "handle")
    assert gpu.power_w() == 680.494
    assert gpu.clock_mhz() == 1320
    assert gpu.energy_j() == 4105.037
    assert gpu.memory() == GpuMemory(85520809984, 3207397376)
    assert gpu.processes() == (GpuProcess(414, 3198156800),)
    assert gpu.power_limited_s() == pytest.approx(1.78, abs=0.01)
    assert gpu.slowed_s() == 0
    assert reason_names(gpu.reasons(), SLOWED_BY) == ()
    assert reason_names(gpu.reasons(), HELD_BY) == ("power limit",)


@pytest.mark.parametrize("name", ASKED)
def test_what_the_driver_does_not_support_is_not_read(name):
    assert getattr(Nvidia(h100.RecordedNvml(), "handle"), name)() is None


def test_older_drivers_tell_power_as_a_mean_and_reasons_under_another_name():
    nvml = h100.idle()
    nvml.answers["nvmlDeviceGetFieldValues"] = [SimpleNamespace(nvmlReturn=3, value=SimpleNamespace(uiVal=0))]
    nvml.answers["nvmlDeviceGetCurrentClocksThrottleReasons"] = nvml.answers.pop(
        "nvmlDeviceGetCurrentClocksEventReasons"
    )
    assert Nvidia(nvml, "handle").power_w() == 96.79
    assert Nvidia(nvml, "handle").reasons() == 1


def test_this_process_own_figure_counts_where_the_driver_lists_it():
    nvml = h100.idle()
    memory = DeviceMemory(Nvidia(nvml, "handle"), pid=414)
    assert memory() == 0
    nvml.answers |= h100.loaded().answers
    assert (memory(), memory.source) == (3198156800, PROCESS_SOURCE)


def test_in_a_container_the_growth_of_the_device_stands_in():
    nvml = h100.idle()
    nvml.answers["nvmlDeviceGetMemoryInfo"] = SimpleNamespace(total=85520809984, used=1000)
    memory = DeviceMemory(Nvidia(nvml, "handle"), pid=7)
    nvml.answers["nvmlDeviceGetMemoryInfo"] = SimpleNamespace(total=85520809984, used=5000)
    assert (memory(), memory.source) == (4000, DEVICE_SOURCE)


def test_the_two_figures_are_never_mixed():
    nvml = h100.loaded()
    memory = DeviceMemory(Nvidia(nvml, "handle"), pid=414)
    memory()
    nvml.answers["nvmlDeviceGetComputeRunningProcesses"] = []
    assert memory() is None
