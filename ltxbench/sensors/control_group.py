"""What the control group of this process, such as a container's, may use of the machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors.texts import number_of, text_of

UNLIMITED_BYTES = 1 << 62  # version 1 says "no limit" with a number near 2^63


@dataclass(frozen=True)
class Limits:
    """Of the control group this process is in. None: no limit, or none that can be seen."""

    cpu_cores: float | None = None
    memory_bytes: int | None = None
    throttled_s: float | None = None
    """Time that the group was kept from running, since it was made."""


def read_limits(root: Path = Path("/")) -> Limits:
    """From the control group's files, version 2 or 1; the tightest on the way up counts."""
    if sys.platform != "linux":
        return Limits()
    paths = parse_cgroup(text_of(root / "proc/self/cgroup"))
    mount = root / "sys/fs/cgroup"
    cores, memory, throttled = [], [], []
    for folder in _upwards(mount, paths.get("", "/")):
        cores.append(parse_cpu_max(text_of(folder / "cpu.max")))
        memory.append(number_of(folder / "memory.max"))
        throttled.append(parse_cpu_stat(text_of(folder / "cpu.stat")))
    for folder in _upwards(mount / "cpu", paths.get("cpu", "/")):
        cores.append(_quota_v1(folder))
        throttled.append(parse_cpu_stat(text_of(folder / "cpu.stat")))
    memory.extend(
        number_of(folder / "memory.limit_in_bytes") for folder in _upwards(mount / "memory", paths.get("memory", "/"))
    )
    return Limits(
        cpu_cores=min((value for value in cores if value is not None), default=None),
        memory_bytes=min(
            (value for value in memory if value is not None and 0 < value < UNLIMITED_BYTES), default=None
        ),
        throttled_s=max((value for value in throttled if value is not None), default=None),
    )


def parse_cgroup(text: str | None) -> dict[str, str]:
    """Controller to path, from /proc/self/cgroup; version 2 has one path for all, under the empty name."""
    paths = {}
    for line in (text or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2].startswith("/"):
            paths.update(dict.fromkeys(parts[1].split(","), parts[2]))
    return paths


def parse_cpu_max(text: str | None) -> float | None:
    """Cores, from `QUOTA PERIOD` in microseconds; `max` is no limit."""
    found = re.fullmatch(r"([0-9]+) ([0-9]+)", (text or "").strip())
    return int(found[1]) / int(found[2]) if found and int(found[2]) else None


def parse_cpu_stat(text: str | None) -> float | None:
    """Seconds that the group was throttled; version 2 counts microseconds, version 1 nanoseconds."""
    found = re.search(r"^throttled_(usec|time) ([0-9]+)$", text or "", re.MULTILINE)
    if found is None:
        return None
    return int(found[2]) / (1e6 if found[1] == "usec" else 1e9)


def _quota_v1(folder: Path) -> float | None:
    quota, period = number_of(folder / "cpu.cfs_quota_us"), number_of(folder / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _upwards(mount: Path, path: str) -> list[Path]:
    """A group and its parents. Inside a container the path is the host's, and the mount is the group itself."""
    folder = mount / path.lstrip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]
