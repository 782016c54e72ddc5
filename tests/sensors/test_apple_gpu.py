from __future__ import annotations

import json

import pytest

from ltxbench.sensors.apple_gpu import Accelerator, is_paravirtual, parse_ioreg
from ltxbench.sensors.display import Display, parse_system_profiler, read_linux
from tests.sensors import recorded


def test_the_registry_tells_how_busy_the_gpu_is():
    assert parse_ioreg(recorded.IOREG_M3_MAX) == (Accelerator("AGXAcceleratorG15X", 16.0, 2363801600),)


def test_a_second_gpu_is_kept_apart():
    found = parse_ioreg(recorded.IOREG_M3_MAX + recorded.IOREG_PARAVIRTUAL)
    assert [each.driver for each in found] == ["AGXAcceleratorG15X", "AppleParavirtGPU"]
    assert found[1] == Accelerator("AppleParavirtGPU")
    assert [each.paravirtual for each in found] == [False, True]


def test_what_mlx_calls_the_stand_in_of_a_virtual_machine_is_known():
    assert is_paravirtual("Apple Paravirtual device")
    assert not is_paravirtual("Apple M4 Max")


@pytest.mark.parametrize("value", ["101", "18446744073709551615"])
def test_impossible_figures_are_not_read(value):
    text = recorded.IOREG_M3_MAX.replace('"Device Utilization %"=16', f'"Device Utilization %"={value}')
    assert parse_ioreg(text)[0].used_percent is None


@pytest.mark.parametrize("text", [*recorded.GARBAGE, None, recorded.IOREG_M3_MAX[20:]])
def test_what_is_no_registry_is_not_read(text):
    assert parse_ioreg(text) is None


def test_a_registry_that_is_cut_keeps_the_gpu_without_its_figures():
    assert parse_ioreg(recorded.IOREG_M3_MAX[:400]) == (Accelerator("AGXAcceleratorG15X"),)


def test_displays_that_are_online_are_named():
    assert parse_system_profiler(recorded.SYSTEM_PROFILER) == ("Color LCD",)
    assert parse_system_profiler(recorded.SYSTEM_PROFILER_HEADLESS) == ()


@pytest.mark.parametrize(
    "text", [*recorded.GARBAGE, None, '{"SPDisplaysDataType": []}', '{"SPDisplaysDataType": [3]}', json.dumps({"a": 1})]
)
def test_a_profile_without_a_gpu_tells_nothing_of_displays(text):
    assert parse_system_profiler(text) is None


def test_linux_lists_the_connectors_that_are_in_use(tmp_path):
    for name, status, dpms in (("card0-eDP-1", "connected", "Off"), ("card0-HDMI-A-1", "disconnected", "Off")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(status + "\n")
        (tmp_path / name / "dpms").write_text(dpms + "\n")
    assert read_linux(tmp_path) == Display(("eDP-1",), asleep=True)
    assert read_linux(tmp_path / "missing") == Display()
