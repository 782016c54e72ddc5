"""Where the machine's power comes from, and whether it is told to save it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors.texts import folders_in, number_of, printed_by, text_of

PMSET_SOURCES = {"AC Power": "ac", "Battery Power": "battery", "UPS Power": "ups"}
PMSET_MODES = {0: "automatic", 1: "low power", 2: "high power"}
# With these drivers the governor `powersave` still goes to full speed; the energy preference decides.
DYNAMIC_DRIVERS = ("intel_pstate", "amd-pstate-epp", "amd_pstate_epp", "amd-pstate")


@dataclass(frozen=True)
class Power:
    """None is "not read"."""

    source: str | None = None
    """`ac`, `battery` or `ups`."""
    low_power: bool | None = None
    mode: str | None = None
    """In the system's own words."""


def read_power() -> Power:
    if sys.platform == "darwin":
        return Power(
            parse_pmset_source(printed_by("/usr/bin/pmset", "-g", "batt")),
            *parse_pmset_mode(printed_by("/usr/bin/pmset", "-g")),
        )
    if sys.platform == "linux":
        return read_linux(Path("/sys"))
    return Power()


def parse_pmset_source(text: str | None) -> str | None:
    """From `pmset -g batt`, which names the source in its first line, also on a Mac without a battery."""
    found = re.search(r"^Now drawing from '([^']+)'", text or "", re.MULTILINE)
    return PMSET_SOURCES.get(found[1]) if found else None


def parse_pmset_mode(text: str | None) -> tuple[bool | None, str | None]:
    """Whether low-power mode is on, and the mode's name, from `pmset -g`.

    The setting is called `lowpowermode` on some Macs and `powermode` on those that have a high-power mode, too.
    """
    found = re.search(r"^\s*(?:low)?powermode\s+([0-9]+)\s*$", text or "", re.MULTILINE)
    mode = PMSET_MODES.get(int(found[1])) if found else None
    return (None if mode is None else mode == "low power"), mode


def read_linux(sys_folder: Path) -> Power:
    """From /sys/class/power_supply, the firmware's platform profile and the CPU's governor."""
    low_power, mode = _linux_mode(sys_folder)
    return Power(_linux_source(sys_folder), low_power, mode)


def _linux_source(sys_folder: Path) -> str | None:
    supplies = folders_in(sys_folder / "class/power_supply")
    online, discharging, batteries = None, False, 0
    for supply in supplies:
        kind = (text_of(supply / "type") or "").strip()
        if (text_of(supply / "scope") or "").strip() == "Device":
            continue  # the battery of a mouse
        if kind == "Battery":
            batteries += 1
            discharging |= (text_of(supply / "status") or "").strip() == "Discharging"
        elif kind == "UPS":
            continue
        elif (state := number_of(supply / "online")) is not None:
            online = bool(online) or state > 0
    if discharging and not online:
        return "battery"
    if online or (batteries and online is None and not discharging and _all_read(supplies)):
        return "ac"
    return "battery" if batteries and online is False else None


def _all_read(supplies: list[Path]) -> bool:
    """Every battery tells that it does not discharge."""
    states = [
        text_of(supply / "status") for supply in supplies if (text_of(supply / "type") or "").strip() == "Battery"
    ]
    return all(state is not None and state.strip() in ("Charging", "Full", "Not charging") for state in states)


def _linux_mode(sys_folder: Path) -> tuple[bool | None, str | None]:
    profile = text_of(sys_folder / "firmware/acpi/platform_profile")
    if profile is not None and profile.strip():
        return profile.strip() in ("low-power", "quiet"), f"platform profile {profile.strip()}"
    cpufreq = sys_folder / "devices/system/cpu/cpu0/cpufreq"
    governor = (text_of(cpufreq / "scaling_governor") or "").strip()
    driver = (text_of(cpufreq / "scaling_driver") or "").strip()
    if not governor:
        return None, None
    if driver in DYNAMIC_DRIVERS:
        preference = (text_of(cpufreq / "energy_performance_preference") or "").strip()
        if not preference:
            return (False if governor == "performance" else None), f"governor {governor}"
        return preference == "power", f"governor {governor}, preference {preference}"
    return governor == "powersave", f"governor {governor}"
