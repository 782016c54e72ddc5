"""Under which conditions a run was made: what was found before it, and the state of the machine around each case."""

from __future__ import annotations

from enum import StrEnum

from ltxbench.frozen import Frozen


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    """Times taken so would be wrong; a run is refused unless that is overridden."""
    UNKNOWN = "unknown"
    """Could not be read, which is never the same as fine."""


class Reading(Frozen):
    name: str
    status: Status
    value: str | None = None
    detail: str = ""
    """A sentence: what was read, and where."""
    hint: str | None = None


class Examination(Frozen):
    """What `ltxbench doctor` found before the run."""

    readings: tuple[Reading, ...]
    overridden: bool = False
    """The run was made although a reading failed."""

    @property
    def failed(self) -> tuple[Reading, ...]:
        return tuple(reading for reading in self.readings if reading.status is Status.FAILURE)


class Conditions(Frozen):
    """One look at the machine. None is "not read"."""

    power_source: str | None = None
    """`ac` or `battery`."""
    low_power: bool | None = None
    thermal_state: str | None = None
    """In the system's own words."""
    throttled: bool | None = None
    throttle_reason: str | None = None
    memory_pressure: str | None = None
    swap_used_bytes: int | None = None
    swapped_out_bytes: int | None = None
    """Since the machine started; the system's counter only ever grows."""
    cpu_load: float | None = None
    """Of one minute, in cores."""
    gpu_temperature_c: float | None = None
    gpu_power_w: float | None = None
    gpu_clock_mhz: float | None = None
    gpu_used_bytes: int | None = None
    """Of the device's memory, by everybody."""
