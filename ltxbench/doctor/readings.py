"""Names of the readings, and short ways to make one."""

from __future__ import annotations

from ltxbench.run.conditions import Reading, Status

POWER_SOURCE = "power source"
LOW_POWER = "low-power mode"
THERMAL = "thermal state"
MEMORY_PRESSURE = "memory pressure"
SWAP = "swap"
GPU_USERS = "GPU users"
GPU_HEALTH = "GPU health"
CPU_LOAD = "CPU load"
LIMITS = "container limits"
DISPLAY = "display"
VIRTUAL = "virtual machine"
DISK = "free disk"
CANARY = "kernel canary"


def ok(name: str, value: str, detail: str = "") -> Reading:
    return Reading(name=name, status=Status.OK, value=value, detail=detail)


def warning(name: str, value: str, detail: str, hint: str | None = None) -> Reading:
    return Reading(name=name, status=Status.WARNING, value=value, detail=detail, hint=hint)


def failure(name: str, value: str, detail: str, hint: str | None = None) -> Reading:
    return Reading(name=name, status=Status.FAILURE, value=value, detail=detail, hint=hint)


def unknown(name: str, detail: str, hint: str | None = None) -> Reading:
    return Reading(name=name, status=Status.UNKNOWN, detail=detail, hint=hint)


def gib(size_bytes: float) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
