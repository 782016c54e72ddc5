"""Judges the machine around the accelerator: CPU, container, virtual machine, display, disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from ltxbench.doctor.readings import CPU_LOAD, DISK, DISPLAY, LIMITS, VIRTUAL, failure, gib, ok, unknown, warning
from ltxbench.run.conditions import Reading
from ltxbench.sensors.apple_gpu import is_paravirtual
from ltxbench.sensors.control_group import Limits
from ltxbench.sensors.display import Display
from ltxbench.sensors.load import Load
from ltxbench.sensors.virtual import Virtual

BUSY_SHARE = 0.25  # of all cores, used by others
STOLEN_CORES = 0.05
LITTLE_BYTES = 2 << 30


def judge_load(load: Load) -> Reading:
    """Never a failure: others come and go, and what they cost shows in the spread of the times."""
    if load.others is None:
        return unknown(CPU_LOAD, "The system does not tell how busy the CPU is.")
    value = f"{load.others:.1f} of {load.cores} cores"
    if load.stolen is not None and load.stolen >= STOLEN_CORES:
        return warning(CPU_LOAD, value, f"The host of this virtual machine takes away {load.stolen:.2f} cores.")
    if load.others >= BUSY_SHARE * load.cores:
        names = f": {', '.join(load.heavy)}" if load.heavy else ""
        return warning(CPU_LOAD, value, f"Other processes use the CPU{names}.", "Stop them, or wait for them.")
    return ok(CPU_LOAD, value)


def judge_limits(limits: Limits, cores: int) -> Reading | None:
    """None without a limit, so that there is nothing to tell."""
    parts = []
    if limits.cpu_cores is not None and limits.cpu_cores < cores:
        parts.append(f"{limits.cpu_cores:g} of {cores} cores")
    if limits.memory_bytes is not None:
        parts.append(gib(limits.memory_bytes))
    if not parts:
        return None
    value = ", ".join(parts)
    if limits.cpu_cores is not None and limits.cpu_cores < cores:
        return warning(
            LIMITS, value, "The control group stops this program when it has used its share.", "Raise the quota."
        )
    return ok(LIMITS, value, "The control group's limit of memory.")


def judge_virtual(virtual: Virtual, *, accelerator: str | None, drivers: tuple[str, ...] = ()) -> Reading:
    """A stand-in for a GPU times the stand-in: refused. Other virtual machines may share what they run on."""
    paravirtual = [name for name in (accelerator or "", *drivers) if is_paravirtual(name)]
    if paravirtual:
        return failure(
            VIRTUAL,
            paravirtual[0],
            "The GPU is a virtual machine's stand-in for the host's: its times are not those of any Mac.",
            "Measure on the Mac itself; --force is fine for trying the program out.",
        )
    container = f", container ({virtual.container})" if virtual.container else ""
    if virtual.machine is None:
        return unknown(VIRTUAL, f"Nothing tells whether this is a virtual machine{container}.")
    if virtual.machine:
        return warning(
            VIRTUAL, (virtual.hypervisor or "yes") + container, "A virtual machine may share its host with others."
        )
    return ok(VIRTUAL, f"no{container}")


def judge_display(display: Display, platform: str) -> Reading:
    """macOS slows down what has no display to serve; elsewhere servers have none, and that is well."""
    if display.attached is None:
        return unknown(DISPLAY, "Nothing tells whether a display is attached.")
    value = ", ".join(display.attached) or "none"
    hint = "Run under `caffeinate -dims`, and keep the display awake."
    if platform == "darwin" and not display.attached:
        return warning(DISPLAY, value, "macOS may put programs without a display to sleep (App Nap).", hint)
    if display.attached and display.asleep:
        value += ", asleep"
        if platform == "darwin":
            return warning(DISPLAY, value, "macOS may slow programs down while the display sleeps.", hint)
    return ok(DISPLAY, value)


def judge_disk(folder: Path, needed_bytes: int | None) -> Reading:
    """`folder` need not exist yet."""
    try:
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free_bytes = shutil.disk_usage(existing).free
    except (OSError, StopIteration):
        return unknown(DISK, f"The free space of {folder} cannot be read.")
    value = f"{gib(free_bytes)} free"
    if free_bytes < max(LITTLE_BYTES, needed_bytes or 0):
        detail = (
            f"{gib(needed_bytes)} may be needed." if needed_bytes else "Little space is left for what a run writes."
        )
        return warning(DISK, value, detail, "Free some space, or put the runs elsewhere with --runs.")
    return ok(DISK, value)
