"""Power, clock and temperature of Apple silicon through macmon-lib, which reads IOReport without a privilege.

Written against macmon-lib 0.7 and the source of the library it wraps; unconfirmed on a Mac. `Sampler.metrics()` answers
at once, with the mean since the call before, so that power times the time between two calls is the energy in between.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

SETTLE_S = 0.25


@dataclass(frozen=True)
class AppleSilicon:
    """Means since the reading before; None is "not read"."""

    package_w: float | None = None
    gpu_w: float | None = None
    gpu_clock_mhz: float | None = None
    gpu_used_percent: float | None = None
    gpu_temperature_c: float | None = None


class MacmonMeter:
    """CPU, GPU, neural engine and memory together, which is what shares one power budget."""

    source = "package (CPU, GPU, ANE, memory), IOReport by macmon"
    resolution_s = 0.25
    """Of a sensible figure: macmon rounds the time between two calls down to whole milliseconds."""

    def __init__(self, sampler: Any, errors: type[Exception], clock: Callable[[], float] = time.monotonic) -> None:
        self._sampler = sampler
        self._errors = errors
        self._clock = clock
        self._total_j = 0.0
        self._lost = False
        self._last_s = clock()
        self.latest = AppleSilicon()

    def read_j(self) -> float | None:
        """A failed reading loses the energy since the one before, and so the total, for good."""
        now_s = self._clock()
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        try:
            self.latest = from_metrics(self._sampler.metrics())
        except self._errors:
            self.latest = AppleSilicon()
        if self.latest.package_w is None:
            self._lost = True
        else:
            # macmon divides by whole milliseconds, at least one.
            self._total_j += self.latest.package_w * max(1, math.floor(1e3 * elapsed_s)) / 1e3
        return None if self._lost else self._total_j


def from_metrics(metrics: Any) -> AppleSilicon:
    """From `macmon.Metrics`. The library answers 0 for what it does not find, and nothing that runs draws 0 W."""
    gpus = metrics.gpu_usage
    return AppleSilicon(
        package_w=_positive(metrics.power.package),
        gpu_w=_real(metrics.power.gpu) if metrics.power.package > 0 else None,
        gpu_clock_mhz=max((_positive(gpu.frequency_mhz) or 0.0 for gpu in gpus), default=0.0) or None,
        gpu_used_percent=max((100 * gpu.usage for gpu in gpus if _real(gpu.usage) is not None), default=None),
        gpu_temperature_c=_positive(metrics.temperature.gpu_average),
    )


@cache
def open_macmon() -> MacmonMeter | None:
    """None elsewhere, without the library, and where it finds no counter, as in a virtual machine. Takes 0.25 s."""
    if sys.platform != "darwin":
        return None
    try:
        import macmon
    except ImportError:
        return None
    try:
        meter = MacmonMeter(macmon.Sampler(), macmon.MacmonError)
    except macmon.MacmonError:
        return None
    time.sleep(SETTLE_S)
    return meter if meter.read_j() else None


def _real(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _positive(value: float) -> float | None:
    return float(value) if math.isfinite(value) and value > 0 else None
