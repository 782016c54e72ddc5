"""Judges who else uses the GPU, and whether it is in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltxbench.doctor.readings import GPU_HEALTH, GPU_USERS, failure, gib, ok, unknown, warning
from ltxbench.run.conditions import Reading
from ltxbench.sensors.nvidia import GpuMemory, GpuProcess, Nvidia

BUSY_PERCENT = 25.0  # a benchmark shares the GPU with something that computes
LIVELY_PERCENT = 5.0  # drawing a desktop stays below
HELD_BYTES = 256 << 20
LOWERED = 0.98  # of a clock or limit


@dataclass(frozen=True)
class GpuUse:
    """By others, while this program does nothing on it; None is "not read"."""

    used_percent: float | None = None
    used_bytes: int | None = None
    """Of the GPU's own memory; a Mac's GPU has none, and this stays None."""
    processes: tuple[GpuProcess, ...] | None = None
    """Strangers alone."""


def use_of(percents: Sequence[float | None]) -> float | None:
    """The middle one of several readings, since one alone catches a moment."""
    known = sorted(percent for percent in percents if percent is not None)
    return known[len(known) // 2] if known else None


def judge_users(use: GpuUse, accelerator: str | None) -> Reading:
    if accelerator is None:
        return ok(GPU_USERS, "not used", "The work is done on the CPU.")
    others = len(use.processes or ())
    held = use.used_bytes is not None and use.used_bytes >= HELD_BYTES
    if use.used_percent is not None and use.used_percent >= BUSY_PERCENT:
        return failure(
            GPU_USERS,
            f"{use.used_percent:.0f}% busy",
            "Something else computes on this GPU.",
            "Stop it, or wait for it.",
        )
    if others or held:
        count = {0: "others", 1: "another process"}.get(others, f"{others} other processes")
        size = gib(use.used_bytes) if use.used_bytes is not None else "some"
        return warning(
            GPU_USERS,
            count,
            f"{count[0].upper()}{count[1:]} hold{'s' if others == 1 else ''} {size} of this GPU's memory"
            + ("" if others else ", and cannot be seen from here")
            + ".",
            "Stop them if they compute.",
        )
    if use.used_percent is None:
        return unknown(GPU_USERS, f"Nothing tells who uses {accelerator}.", _library_hint(accelerator))
    value = f"{use.used_percent:.0f}% busy"
    if use.used_percent >= LIVELY_PERCENT:
        return warning(GPU_USERS, value, "Something else draws or computes on this GPU now and then.")
    return ok(GPU_USERS, value)


def judge_health(device: Nvidia | None, accelerator: str | None) -> Reading | None:
    """None where there is no NVIDIA GPU at work, so that there is nothing to tell."""
    if device is None or accelerator is None:
        return None
    name = device.name() or "GPU"
    errors = device.uncorrected_errors()
    if errors:
        return failure(
            GPU_HEALTH,
            f"{errors} memory errors",
            "ECC could not correct errors in the GPU's memory since the driver was loaded: results may be wrong.",
            "Reset the GPU, and have it looked at if that does not last.",
        )
    held = list(_held_back(device))
    if held:
        return warning(GPU_HEALTH, "held back", f"{name}: {'; '.join(held)}.")
    if device.memory() is None or device.clock_mhz() is None:
        return unknown(GPU_HEALTH, f"{name} does not tell its clock or its memory.")
    return ok(GPU_HEALTH, name, "" if errors is None else "no memory errors")


def strangers(processes: tuple[GpuProcess, ...] | None, own: frozenset[int]) -> tuple[GpuProcess, ...] | None:
    return None if processes is None else tuple(process for process in processes if process.pid not in own)


def held_by_others(
    memory: GpuMemory | None, processes: tuple[GpuProcess, ...] | None, own: frozenset[int]
) -> int | None:
    """All that is used less what the driver says is this program's own."""
    if memory is None:
        return None
    ours = sum(process.used_bytes or 0 for process in processes or () if process.pid in own)
    return max(0, memory.used_bytes - ours)


def _held_back(device: Nvidia) -> list[str]:
    held = []
    top, allowed = device.top_clock_mhz(), device.set_clock_mhz()
    if top and allowed and allowed < LOWERED * top:
        held.append(f"its clock is set to {allowed:.0f} MHz at most, of {top:.0f} MHz")
    limits = device.power_limits_w()
    if limits is not None and limits[0] < LOWERED * limits[1]:
        held.append(f"its power is limited to {limits[0]:.0f} W, of {limits[1]:.0f} W")
    if device.partitioned():
        held.append("it is partitioned (MIG), so only a part of it is used")
    return held


def _library_hint(accelerator: str) -> str | None:
    nvidia = "nvidia" in accelerator.lower() or "geforce" in accelerator.lower()
    return "Install ltxbench with its extra `cuda`, which brings nvidia-ml-py." if nvidia else None
