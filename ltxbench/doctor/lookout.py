"""A look at the machine before and after a case."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ltxbench.doctor.readers import Readers
from ltxbench.run.conditions import Conditions
from ltxbench.sensors.nvidia import SLOWED_BY, Nvidia, reason_names
from ltxbench.sensors.thermal import Thermal

LIMITED_SHARE = 0.05  # of the time at the power limit that is worth a word


@dataclass(frozen=True)
class _Counters:
    """That only grow: what happened between two looks is their growth."""

    time_s: float
    throttle_events: int | None = None
    slowed_s: float | None = None
    power_limited_s: float | None = None


class Lookout:
    """Looks at the machine; each look also tells what happened since the one before.

    The GPU is at rest again when a case has ended, so that its clock and its reasons at that moment say little: what
    the driver's counters gathered in between decides. A look takes some 10 ms on Linux and gives the GPU no work.
    """

    def __init__(
        self,
        accelerator: str | None,
        readers: Readers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._readers = readers or Readers()
        self._clock = clock
        on_mac = self._readers.platform == "darwin"
        self._nvidia = self._readers.nvidia() if accelerator is not None and not on_mac else None
        self._macmon = self._readers.macmon() if on_mac else None
        self._last: _Counters | None = None

    def look(self) -> Conditions:
        power, thermal, swap = self._readers.power(), self._readers.thermal(), self._readers.swap()
        counters = self._count(thermal)
        throttled, reason = self._throttled(thermal, counters)
        self._last = counters
        found = Conditions(
            power_source=power.source,
            low_power=power.low_power,
            thermal_state=thermal.state,
            throttled=throttled,
            throttle_reason=reason,
            memory_pressure=self._readers.pressure().level,
            swap_used_bytes=swap.used_bytes,
            swapped_out_bytes=swap.swapped_out_bytes,
            cpu_load=self._readers.load_average(),
        )
        return found.model_copy(update=self._gpu())

    def _gpu(self) -> dict[str, float | int | None]:
        if self._nvidia is not None:
            memory = self._nvidia.memory()
            return {
                "gpu_temperature_c": self._nvidia.temperature_c(),
                "gpu_power_w": self._nvidia.power_w(),
                "gpu_clock_mhz": self._nvidia.clock_mhz(),
                "gpu_used_bytes": None if memory is None else memory.used_bytes,
            }
        if self._macmon is not None:
            self._macmon.read_j()
            # Means since the look before.
            latest = self._macmon.latest
            return {
                "gpu_temperature_c": latest.gpu_temperature_c,
                "gpu_power_w": latest.gpu_w,
                "gpu_clock_mhz": latest.gpu_clock_mhz,
            }
        return {}

    def _count(self, thermal: Thermal) -> _Counters:
        device = self._nvidia
        return _Counters(
            time_s=self._clock(),
            throttle_events=thermal.throttle_events,
            slowed_s=device.slowed_s() if device else None,
            power_limited_s=device.power_limited_s() if device else None,
        )

    def _throttled(self, thermal: Thermal, now: _Counters) -> tuple[bool | None, str | None]:
        """None where nothing tells. A card at its own power limit runs as it is built to: named, but not throttled."""
        then = self._last or now
        reasons, told = [], False
        if thermal.pressed is not None and "°C" not in (thermal.state or ""):
            told = True
            if thermal.pressed:
                reasons.append(thermal.state or "heat")
        if now.throttle_events is not None and then.throttle_events is not None:
            told = True
            if now.throttle_events > then.throttle_events:
                reasons.append(f"CPU throttled {now.throttle_events - then.throttle_events} times")
        mask = _reasons(self._nvidia)
        if mask is not None:
            told = True
            reasons.extend(reason_names(mask, SLOWED_BY))
        if now.slowed_s is not None and then.slowed_s is not None:
            told = True
            if now.slowed_s > then.slowed_s:
                reasons.append(f"GPU slowed down for {now.slowed_s - then.slowed_s:.1f} s")
        throttled = bool(reasons) if told else None
        limited = _share(then.power_limited_s, now.power_limited_s, now.time_s - then.time_s)
        if limited is not None and limited >= LIMITED_SHARE:
            reasons.append(f"GPU at its power limit for {limited:.0%} of the time")
        return throttled, "; ".join(reasons) or None


def conditions(accelerator: str | None) -> Conditions:
    """One look, which knows of nothing before it."""
    return Lookout(accelerator).look()


def _reasons(device: Nvidia | None) -> int | None:
    return None if device is None else device.reasons()


def _share(before_s: float | None, after_s: float | None, elapsed_s: float) -> float | None:
    if before_s is None or after_s is None or elapsed_s <= 0:
        return None
    return min(1.0, max(0.0, (after_s - before_s) / elapsed_s))
