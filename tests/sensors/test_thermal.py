from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.sensors.thermal import Thermal, from_macos, parse_pmset_speed_limit, read_linux
from tests.sensors import recorded


@pytest.mark.parametrize(
    ("level", "thermal"),
    [
        ("nominal", Thermal("thermal pressure nominal", pressed=False)),
        ("heavy", Thermal("thermal pressure heavy", pressed=True)),
        (None, Thermal()),
    ],
)
def test_every_level_above_nominal_is_too_warm(level, thermal):
    assert from_macos(level, recorded.PMSET_THERM_APPLE) == thermal


def test_pmset_has_figures_on_intel_alone():
    assert parse_pmset_speed_limit(recorded.PMSET_THERM_APPLE) is None
    assert parse_pmset_speed_limit(recorded.PMSET_THERM_INTEL) == 28
    assert from_macos(None, recorded.PMSET_THERM_INTEL) == Thermal("CPU limited to 28% of its speed", pressed=True)
    cool = recorded.PMSET_THERM_INTEL.replace("28", "100")
    assert from_macos(None, cool) == Thermal("CPU at full speed", pressed=False)


@pytest.mark.parametrize("text", recorded.GARBAGE)
def test_what_is_no_output_of_pmset_is_not_read(text):
    assert from_macos(None, text) == Thermal()


def zone(folder: Path, number: int, kind: str, temp: str, **trips: str) -> None:
    path = folder / f"class/thermal/thermal_zone{number}"
    path.mkdir(parents=True)
    (path / "type").write_text(kind + "\n")
    (path / "temp").write_text(temp + "\n")
    for index, (trip, at) in enumerate(trips.items()):
        (path / f"trip_point_{index}_type").write_text(trip + "\n")
        (path / f"trip_point_{index}_temp").write_text(at + "\n")


def test_the_hottest_zone_is_shown_and_held_against_its_passive_trip_point(tmp_path):
    zone(tmp_path, 0, "acpitz", "27800", critical="119000")
    zone(tmp_path, 1, "x86_pkg_temp", "71000", passive="95000", critical="105000")
    assert read_linux(tmp_path) == Thermal("71 °C (x86_pkg_temp)", pressed=False)
    (tmp_path / "class/thermal/thermal_zone1/temp").write_text("96000")
    assert read_linux(tmp_path) == Thermal("96 °C (x86_pkg_temp)", pressed=True)


@pytest.mark.parametrize("temp", ["-274000", "2147483647", "", "hot", "200000"])
def test_a_sensor_that_sleeps_or_lies_is_not_read(tmp_path, temp):
    zone(tmp_path, 0, "iwlwifi", temp, passive="0")
    assert read_linux(tmp_path) == Thermal()


def test_a_zone_without_trip_points_does_not_tell_whether_it_is_too_warm(tmp_path):
    zone(tmp_path, 0, "nvme", "50000")
    assert read_linux(tmp_path).pressed is None


def test_throttle_counters_are_added_up_over_the_cores(tmp_path):
    for core, count in ((0, 3), (1, 4)):
        folder = tmp_path / f"devices/system/cpu/cpu{core}/thermal_throttle"
        folder.mkdir(parents=True)
        (folder / "core_throttle_count").write_text(f"{count}\n")
    assert read_linux(tmp_path).throttle_events == 7


def test_a_machine_without_sensors_tells_nothing(tmp_path):
    assert read_linux(tmp_path) == Thermal()
