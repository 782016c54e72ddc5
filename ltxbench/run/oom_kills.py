"""How often the kernel has ended a process of this one's control group because memory ran out. Linux alone.

The killed process gets SIGKILL and no word about it, so the counter is read before and after it ran.
Kernel: Documentation/admin-guide/cgroup-v2.rst (memory.events), cgroup-v1/memory.rst (memory.oom_control).
"""

from __future__ import annotations

from pathlib import Path

PROC, MOUNTED = Path("/proc"), Path("/sys/fs/cgroup")


def oom_kills(proc: Path = PROC, mounted: Path = MOUNTED) -> int | None:
    """Counts kills for a limit of the group and for a machine without memory alike; None where nothing counts them.

    Outside of any group with a memory controller the whole machine's counter stands in.
    """
    for path in (*_counters(proc, mounted), proc / "vmstat"):
        if (count := _counted(path)) is not None:
            return count
    return None


def _counters(proc: Path, mounted: Path) -> list[Path]:
    """Of the groups that this process is in: the memory controller's of version 1, and that of version 2."""
    found = []
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        inner = group.lstrip("/")
        if "memory" in controllers.split(","):
            found.append(mounted / "memory" / inner / "memory.oom_control")
        elif not controllers:
            found.append(mounted / inner / "memory.events")
    return found


def _counted(path: Path) -> int | None:
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdecimal():
            return int(value)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
