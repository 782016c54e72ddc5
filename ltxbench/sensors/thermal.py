"""Whether heat slows the machine down."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.texts import folders_in, number_of, printed_by, text_of

CELSIUS_RANGE = (-40.0, 150.0)  # drivers answer nonsense such as -273 or 0x8000 for a sensor that is asleep


@dataclass(frozen=True)
class Thermal:
    """None is "not read"."""

    state: str | None = None
    """In the system's own words."""
    pressed: bool | None = None
    """The system says that it is too hot for full speed."""
    throttle_events: int | None = None
    """Since the machine started, over all cores; it only grows."""


def read_thermal() -> Thermal:
    if sys.platform == "darwin":
        level = macos_kernel.thermal_level()
        return from_macos(level, None if level is not None else printed_by("/usr/bin/pmset", "-g", "therm"))
    if sys.platform == "linux":
        return read_linux(Path("/sys"))
    return Thermal()


def from_macos(level: str | None, pmset: str | None) -> Thermal:
    """From the level of thermal pressure, and from `pmset -g therm`, which has figures on Intel Macs alone."""
    limit = parse_pmset_speed_limit(pmset)
    if limit is not None and limit < 100:
        return Thermal(f"CPU limited to {limit}% of its speed", pressed=True)
    if level is not None:
        return Thermal(f"thermal pressure {level}", pressed=level != "nominal")
    return Thermal() if limit is None else Thermal("CPU at full speed", pressed=False)


def parse_pmset_speed_limit(text: str | None) -> int | None:
    """`CPU_Speed_Limit` in percent. Apple silicon prints that nothing was recorded, which says nothing."""
    found = re.search(r"^\s*CPU_Speed_Limit\s*=\s*([0-9]{1,3})\s*$", text or "", re.MULTILINE)
    return int(found[1]) if found else None


def read_linux(sys_folder: Path) -> Thermal:
    """Thermal zones against the temperature at which the kernel slows the CPU, and Intel's throttle counters."""
    events = _throttle_events(sys_folder)
    hottest: tuple[float, str] | None = None
    pressed: bool | None = None
    for zone in folders_in(sys_folder / "class/thermal", "thermal_zone*"):
        celsius = _celsius(zone / "temp")
        if celsius is None:
            continue
        name = (text_of(zone / "type") or "").strip() or zone.name
        hottest = max(hottest or (celsius, name), (celsius, name))
        limit = _passive_limit(zone)
        if limit is not None:
            pressed = bool(pressed) or celsius >= limit
    state = None if hottest is None else f"{hottest[0]:.0f} °C ({hottest[1]})"
    return Thermal(state, pressed, events)


def _celsius(path: Path) -> float | None:
    thousandths = number_of(path)
    if thousandths is None:
        return None
    celsius = thousandths / 1000
    return celsius if CELSIUS_RANGE[0] < celsius < CELSIUS_RANGE[1] else None


def _passive_limit(zone: Path) -> float | None:
    """The lowest temperature at which this zone slows something down."""
    limits = []
    for kind in folders_in(zone, "trip_point_*_type"):
        if (text_of(kind) or "").strip() == "passive":
            limit = _celsius(kind.with_name(kind.name.replace("_type", "_temp")))
            if limit is not None and limit > 0:  # 0 and below: a trip point that is switched off
                limits.append(limit)
    return min(limits, default=None)


def _throttle_events(sys_folder: Path) -> int | None:
    counts = [
        count
        for folder in folders_in(sys_folder / "devices/system/cpu", "cpu[0-9]*/thermal_throttle")
        if (count := number_of(folder / "core_throttle_count")) is not None
    ]
    return sum(counts) if counts else None
