from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ltxbench.doctor.canary import CanaryReport, Check
from ltxbench.doctor.canary_process import CanaryDied
from ltxbench.doctor.examine import examine, refuse
from ltxbench.doctor.table import summary
from ltxbench.errors import InvalidMeasurement, LtxbenchError
from ltxbench.run.conditions import Status
from ltxbench.sensors.apple_gpu import parse_ioreg
from ltxbench.sensors.control_group import Limits
from ltxbench.sensors.display import Display
from ltxbench.sensors.memory_pressure import MemoryPressure
from ltxbench.sensors.power import Power
from ltxbench.sensors.swap import Swap
from ltxbench.sensors.thermal import Thermal
from ltxbench.sensors.virtual import Virtual
from tests.doctor.machines import CONTAINER, H100, MACBOOK, h100_server, right
from tests.sensors import recorded

MAC = "Apple M3 Max"
CARD = "NVIDIA H100 80GB HBM3"


def look(readers=MACBOOK, accelerator=MAC, canary=right):
    return examine(accelerator, Path("/"), canary, readers=readers, sleep=lambda seconds: None)


def reading(name, examination):
    return next(each for each in examination.readings if each.name == name)


def test_a_macbook_on_its_charger_is_fit():
    examination = look()
    assert {each.status for each in examination.readings} == {Status.OK}
    refuse(examination)


def test_a_container_on_a_cpu_is_not_refused_and_what_cannot_be_read_is_unknown():
    examination = look(CONTAINER, accelerator=None)
    refuse(examination)
    assert reading("power source", examination).status is Status.UNKNOWN
    assert reading("thermal state", examination).status is Status.UNKNOWN
    assert reading("virtual machine", examination).status is Status.WARNING
    assert reading("CPU load", examination).status is Status.WARNING
    assert "could not be read: power source" in summary(examination)


WRONG = {
    "power source": {"power": lambda: Power("battery", False, "automatic")},
    "low-power mode": {"power": lambda: Power("ac", True, "low power")},
    "thermal state": {"thermal": lambda: Thermal("thermal pressure heavy", pressed=True)},
    "memory pressure": {"pressure": lambda: MemoryPressure("critical", "stalled")},
    "virtual machine": {"accelerators": lambda: parse_ioreg(recorded.IOREG_PARAVIRTUAL)},
    "GPU users": {
        "accelerators": lambda: parse_ioreg(
            recorded.IOREG_M3_MAX.replace('"Device Utilization %"=16', '"Device Utilization %"=80')
        )
    },
}


@pytest.mark.parametrize(("name", "change"), WRONG.items())
def test_what_makes_times_wrong_is_refused_unless_that_is_overridden(name, change):
    examination = look(replace(MACBOOK, **change))
    assert [each.name for each in examination.failed] == [name]
    with pytest.raises(InvalidMeasurement, match=name) as refused:
        refuse(examination)
    assert refused.value.exit_code == 7
    refuse(examination.model_copy(update={"overridden": True}))


WORTH_A_WARNING = {
    "power source": {"power": lambda: Power("ups", False, "automatic")},
    "low-power mode": {"power": lambda: Power("ac", True, "governor powersave")},
    "thermal state": {"thermal": lambda: Thermal("96 °C (x86_pkg_temp)", pressed=True)},
    "memory pressure": {"pressure": lambda: MemoryPressure("warning", "stalled")},
    "swap": {"swap": lambda: Swap(4 << 30, 2 << 30, 5 << 30)},
    "display": {"display": lambda: Display(())},
    "virtual machine": {"virtual": lambda: Virtual(True, "parallels")},
    "container limits": {"limits": lambda: Limits(cpu_cores=1.5)},
}


@pytest.mark.parametrize(("name", "change"), WORTH_A_WARNING.items())
def test_what_may_matter_is_a_warning_and_does_not_refuse(name, change):
    examination = look(replace(MACBOOK, **change))
    assert reading(name, examination).status is Status.WARNING
    refuse(examination)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("power source", {"power": Power}),
        ("low-power mode", {"power": Power}),
        ("thermal state", {"thermal": Thermal}),
        ("thermal state", {"virtual": lambda: Virtual(True)}),
        ("memory pressure", {"pressure": MemoryPressure}),
        ("swap", {"swap": Swap}),
        ("GPU users", {"accelerators": lambda: None}),
        ("display", {"display": Display}),
        ("virtual machine", {"virtual": Virtual}),
    ],
)
def test_a_sensor_that_is_not_there_is_unknown_and_never_fine(name, change):
    assert reading(name, look(replace(MACBOOK, **change))).status is Status.UNKNOWN


def swapping(*swapped_out):
    answers = iter(swapped_out)
    return replace(MACBOOK, swap=lambda: Swap(4 << 30, 1 << 30, next(answers)))


def test_swap_that_grows_while_we_look_is_a_failure():
    assert reading("swap", look(swapping(0, 1 << 20))).status is Status.FAILURE
    assert reading("swap", look(swapping(0, (1 << 20) - 1))).status is Status.WARNING


def test_a_cpu_that_is_throttled_while_we_look_is_a_failure():
    events = iter((7, 9))
    found = reading("thermal state", look(replace(MACBOOK, thermal=lambda: Thermal("71 °C", False, next(events)))))
    assert found.status is Status.FAILURE
    assert "2 times" in found.detail


def test_an_idle_h100_is_fit():
    examination = look(h100_server(H100.idle()), accelerator=CARD)
    assert reading("GPU users", examination).status is Status.OK
    assert reading("GPU health", examination).status is Status.OK
    assert reading("thermal state", examination).status is Status.OK
    refuse(examination)


def test_another_program_that_computes_on_the_gpu_is_refused():
    examination = look(h100_server(H100.loaded()), accelerator=CARD)
    assert [each.name for each in examination.failed] == ["GPU users"]
    # At its power limit a card runs as it is built to.
    assert reading("thermal state", examination).status is Status.OK


def test_memory_held_by_somebody_who_cannot_be_seen_is_a_warning():
    nvml = H100.idle()
    nvml.answers["nvmlDeviceGetMemoryInfo"] = SimpleNamespace(total=85520809984, used=4 << 30)
    found = reading("GPU users", look(h100_server(nvml), accelerator=CARD))
    assert found.status is Status.WARNING
    assert "cannot be seen" in found.detail


def test_what_this_program_holds_itself_is_nobody_else_s():
    nvml = H100.loaded()
    nvml.answers["nvmlDeviceGetUtilizationRates"] = SimpleNamespace(gpu=0, memory=0)
    readers = replace(h100_server(nvml), own=lambda: frozenset({414}))
    assert reading("GPU users", look(readers, accelerator=CARD)).status is Status.OK


@pytest.mark.parametrize(
    ("answer", "value", "status"),
    [
        ("nvmlDeviceGetTotalEccErrors", 3, Status.FAILURE),
        ("nvmlDeviceGetApplicationsClock", 1200, Status.WARNING),
        ("nvmlDeviceGetEnforcedPowerLimit", 350000, Status.WARNING),
        ("nvmlDeviceGetMigMode", [1, 1], Status.WARNING),
    ],
)
def test_a_card_that_is_held_back_or_broken_is_told(answer, value, status):
    nvml = H100.idle()
    nvml.answers[answer] = value
    assert reading("GPU health", look(h100_server(nvml), accelerator=CARD)).status is status


@pytest.mark.parametrize("bit", [0x08, 0x20, 0x40, 0x80])
def test_a_gpu_that_is_slowed_down_is_refused(bit):
    nvml = H100.idle()
    nvml.answers["nvmlDeviceGetCurrentClocksEventReasons"] = bit
    assert "thermal state" in [each.name for each in look(h100_server(nvml), accelerator=CARD).failed]


def test_a_canary_that_is_wrong_or_dies_is_refused_and_one_that_did_not_run_is_unknown():
    wrong = Check(name="conv3d", max_error=1.0, limit=0.01, ok=False)
    report = CanaryReport(dtype="bfloat16", device=MAC, checks=(wrong,), duration_s=1.0)

    def dies():
        raise CanaryDied("signal 6")

    def missing():
        raise LtxbenchError("No module named mlx")

    assert reading("kernel canary", look(canary=lambda: report)).status is Status.FAILURE
    assert reading("kernel canary", look(canary=dies)).status is Status.FAILURE
    for nothing in (None, missing, lambda: None):
        assert reading("kernel canary", look(canary=nothing)).status is Status.UNKNOWN
