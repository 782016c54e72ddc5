"""Judges where the power comes from, and whether the machine saves it."""

from __future__ import annotations

from ltxbench.doctor.readings import LOW_POWER, POWER_SOURCE, failure, ok, unknown, warning
from ltxbench.run.conditions import Reading
from ltxbench.sensors.power import Power


def judge_source(power: Power) -> Reading:
    """On a battery the machine lowers its own limits, and lowers them further as the battery empties."""
    if power.source == "ac":
        return ok(POWER_SOURCE, "mains")
    if power.source == "battery":
        return failure(
            POWER_SOURCE, "battery", "A machine on its battery is slower than on mains.", "Connect the power adapter."
        )
    if power.source == "ups":
        return warning(POWER_SOURCE, "UPS", "The mains are off, and the machine may save power.")
    return unknown(POWER_SOURCE, "No power supply is listed, as on most servers, desktops and in containers.")


def judge_mode(power: Power) -> Reading:
    """A mode that was chosen to save power; a governor of the CPU alone is only worth a warning."""
    if power.low_power is None:
        return unknown(LOW_POWER, "Nothing tells whether this machine saves power.")
    mode = power.mode or "off"
    if not power.low_power:
        return ok(LOW_POWER, mode)
    if mode.startswith("governor"):
        return warning(
            LOW_POWER, mode, "The CPU is kept at its lowest clock.", "Choose the governor `performance` or `schedutil`."
        )
    return failure(
        LOW_POWER,
        mode,
        "The machine is told to save power, so it is slower than it can be.",
        "Turn low-power mode off.",
    )
