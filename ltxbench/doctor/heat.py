"""Judges whether heat slows the machine down."""

from __future__ import annotations

from ltxbench.doctor.readings import THERMAL, failure, ok, unknown, warning
from ltxbench.run.conditions import Reading
from ltxbench.sensors.nvidia import SLOWED_BY, reason_names
from ltxbench.sensors.thermal import Thermal

COOL = "Let the machine cool down; keep its fans free."


def judge_thermal(
    thermal: Thermal,
    *,
    throttled_now: int | None = None,
    gpu_reasons: int | None = None,
    gpu_temperature_c: float | None = None,
    virtual: bool | None = None,
) -> Reading:
    """`throttled_now`: how often CPUs were throttled during the examination; `gpu_reasons`: NVML's bits.

    In a virtual machine nobody posts macOS's thermal pressure, and its "nominal" means nothing.
    """
    gpu = None if gpu_temperature_c is None else f"GPU {gpu_temperature_c:.0f} °C"
    value = ", ".join(part for part in (thermal.state, gpu) if part)
    slowed = reason_names(gpu_reasons or 0, SLOWED_BY)
    if slowed:
        return failure(THERMAL, value or slowed[0], f"The GPU is slowed down: {', '.join(slowed)}.", COOL)
    if throttled_now:
        times = "once" if throttled_now == 1 else f"{throttled_now} times"
        return failure(THERMAL, value or "throttled", f"The CPU was throttled {times} within a moment.", COOL)
    if thermal.pressed and thermal.state is not None and "°C" in thermal.state:
        return warning(THERMAL, value, "A sensor is at the temperature at which the kernel slows the CPU down.", COOL)
    if thermal.pressed:
        return failure(THERMAL, value, "The machine is too warm to run at full speed.", COOL)
    if virtual and thermal.state is not None and thermal.state.startswith("thermal pressure"):
        return unknown(THERMAL, "A virtual machine does not see the heat of the real one.")
    if value and (thermal.pressed is False or thermal.throttle_events is not None or gpu_reasons is not None):
        return ok(THERMAL, value)
    if thermal.throttle_events is not None or gpu_reasons is not None:
        return ok(THERMAL, "not throttled")
    if value:
        return unknown(THERMAL, f"{value}, but nothing tells at which temperature this machine slows down.")
    return unknown(THERMAL, "No sensor of temperature or throttling can be read.")
