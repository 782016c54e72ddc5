from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.sensors.power import Power, parse_pmset_mode, parse_pmset_source, read_linux
from tests.sensors import recorded


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (recorded.PMSET_AC_LAPTOP, "ac"),
        (recorded.PMSET_WITH_ID, "ac"),
        (recorded.PMSET_DESKTOP, "ac"),
        (recorded.PMSET_BATTERY, "battery"),
        (recorded.PMSET_UPS, "ups"),
        ("Now drawing from 'Netzteil'", None),
        (None, None),
    ],
)
def test_pmset_names_the_source_with_and_without_a_battery(text, source):
    assert parse_pmset_source(text) == source


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (recorded.PMSET_SETTINGS, (False, "automatic")),
        (recorded.PMSET_SETTINGS.replace("lowpowermode         0", "lowpowermode         1"), (True, "low power")),
        (recorded.PMSET_SETTINGS_MAX, (False, "automatic")),
        (recorded.PMSET_SETTINGS_MAX.replace("powermode            0", "powermode 1"), (True, "low power")),
        (recorded.PMSET_SETTINGS_MAX.replace("powermode            0", "powermode 2"), (False, "high power")),
        (recorded.PMSET_SETTINGS_MAX.replace("powermode            0", "powermode 7"), (None, None)),
        (recorded.PMSET_SETTINGS.replace("lowpowermode", "somethingelse"), (None, None)),
        (None, (None, None)),
    ],
)
def test_low_power_mode_has_two_names_and_three_values(text, mode):
    assert parse_pmset_mode(text) == mode


@pytest.mark.parametrize("text", recorded.GARBAGE)
def test_what_is_no_output_of_pmset_is_not_read(text):
    assert parse_pmset_source(text) is None
    assert parse_pmset_mode(text) == (None, None)


def supply(folder: Path, name: str, **files: str) -> None:
    path = folder / "class/power_supply" / name
    path.mkdir(parents=True)
    for file, text in files.items():
        (path / file).write_text(text + "\n")


def test_a_laptop_on_mains_and_on_its_battery(tmp_path):
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type="Battery", status="Charging")
    assert read_linux(tmp_path).source == "ac"
    (tmp_path / "class/power_supply/AC/online").write_text("0\n")
    (tmp_path / "class/power_supply/BAT0/status").write_text("Discharging\n")
    assert read_linux(tmp_path).source == "battery"


def test_a_laptop_charged_over_usb_lists_several_ports(tmp_path):
    supply(tmp_path, "ucsi-1", type="USB", online="0")
    supply(tmp_path, "ucsi-2", type="USB", online="1")
    supply(tmp_path, "BAT0", type="Battery", status="Not charging")
    assert read_linux(tmp_path).source == "ac"


def test_the_battery_of_a_mouse_is_not_the_machine_s(tmp_path):
    supply(tmp_path, "hidpp_battery_0", type="Battery", status="Discharging", scope="Device")
    assert read_linux(tmp_path).source is None


def test_without_any_supply_nothing_is_known(tmp_path):
    assert read_linux(tmp_path) == Power()


def test_the_firmware_s_profile_tells_that_power_is_saved(tmp_path):
    profile = tmp_path / "firmware/acpi/platform_profile"
    profile.parent.mkdir(parents=True)
    profile.write_text("low-power\n")
    assert read_linux(tmp_path) == Power(None, True, "platform profile low-power")
    profile.write_text("balanced\n")
    assert read_linux(tmp_path) == Power(None, False, "platform profile balanced")


@pytest.mark.parametrize(
    ("driver", "governor", "preference", "low_power"),
    [
        ("acpi-cpufreq", "powersave", None, True),
        ("acpi-cpufreq", "schedutil", None, False),
        ("intel_pstate", "powersave", "balance_performance", False),
        ("intel_pstate", "powersave", "power", True),
        ("intel_pstate", "powersave", None, None),
        ("amd-pstate-epp", "performance", "performance", False),
    ],
)
def test_a_governor_called_powersave_means_it_with_some_drivers_only(tmp_path, driver, governor, preference, low_power):
    folder = tmp_path / "devices/system/cpu/cpu0/cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_driver").write_text(driver)
    (folder / "scaling_governor").write_text(governor)
    if preference:
        (folder / "energy_performance_preference").write_text(preference)
    assert read_linux(tmp_path).low_power is low_power
