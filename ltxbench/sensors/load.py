"""What others do with the CPU while this process does nothing."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

INTERVAL_S = 0.5
HEAVY_CORES = 0.3  # of a process that is worth naming


@dataclass(frozen=True)
class Load:
    """In cores, over a short interval; None is "not read"."""

    cores: int
    others: float | None = None
    """Used by everything but this process and its children."""
    stolen: float | None = None
    """Taken by the hypervisor for other machines."""
    average: float | None = None
    """The system's load average of one minute, this process included."""
    heavy: tuple[str, ...] = ()
    """Names of the processes that use most, as far as they can be seen from here."""


def read_load(interval_s: float = INTERVAL_S) -> Load:
    """Takes `interval_s`. In a container other processes cannot be seen, but their use of the CPU is counted."""
    before, own_before, each_before, start_s = psutil.cpu_times(), _own_s(), _each_s(), time.monotonic()
    time.sleep(interval_s)
    after, own_after, each_after = psutil.cpu_times(), _own_s(), _each_s()
    elapsed_s = time.monotonic() - start_s
    # user and nice contain the guests' time already.
    busy = sum(
        getattr(after, name) - getattr(before, name)
        for name in ("user", "nice", "system", "irq", "softirq")
        if hasattr(after, name)
    )
    used = [
        ((seconds - each_before[process]) / elapsed_s, process[1])
        for process, seconds in each_after.items()
        if process in each_before
    ]
    heavy = dict.fromkeys(name for cores, name in sorted(used, reverse=True) if cores >= HEAVY_CORES)
    return Load(
        cores=psutil.cpu_count() or 1,
        others=max(0.0, busy - (own_after - own_before)) / elapsed_s,
        stolen=max(0.0, after.steal - before.steal) / elapsed_s if hasattr(after, "steal") else None,
        average=load_average(),
        heavy=tuple(heavy)[:3],
    )


def load_average() -> float | None:
    """Of one minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def own_processes() -> frozenset[int]:
    """This process and its children."""
    own = psutil.Process()
    try:
        return frozenset({own.pid, *(child.pid for child in own.children(recursive=True))})
    except psutil.Error:
        return frozenset({own.pid})


def _own_s() -> float:
    """CPU time of this process and its children, those that ended included."""
    own = os.times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = child.cpu_times()
            seconds += times.user + times.system
    return seconds


def _each_s() -> dict[tuple[int, str], float]:
    """CPU time of every other process that can be seen."""
    own = own_processes()
    seconds = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid not in own:
            seconds[process.pid, process.info["name"] or "?"] = times.user + times.system
    return seconds
