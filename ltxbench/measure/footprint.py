"""The process's own memory footprint, as the operating system counts it.

MLX's counters leave out much of what a process holds, so the two stand side by side and are never mixed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

LINUX_SOURCE = "RssAnon + RssShmem + VmSwap"
LINUX_PEAK_SOURCE = "VmHWM (peak resident set)"
MACOS_SOURCE = "ri_phys_footprint"
MACOS_PEAK_SOURCE = "ri_lifetime_max_phys_footprint"

RUSAGE_INFO_V4 = 4


@dataclass(frozen=True)
class Footprint:
    """Bytes now and at the highest since the process began; None is "not measured"."""

    current_bytes: int | None = None
    peak_bytes: int | None = None
    source: str | None = None
    peak_source: str | None = None


UNKNOWN = Footprint()


class RusageInfoV4(ctypes.Structure):
    """Layout of `rusage_info_v4` (macOS SDK, sys/resource.h): a 16-byte UUID, then 64-bit counters."""

    _fields_ = (
        ("ri_uuid", ctypes.c_uint8 * 16),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "ri_user_time",
                "ri_system_time",
                "ri_pkg_idle_wkups",
                "ri_interrupt_wkups",
                "ri_pageins",
                "ri_wired_size",
                "ri_resident_size",
                "ri_phys_footprint",
                "ri_proc_start_abstime",
                "ri_proc_exit_abstime",
                "ri_child_user_time",
                "ri_child_system_time",
                "ri_child_pkg_idle_wkups",
                "ri_child_interrupt_wkups",
                "ri_child_pageins",
                "ri_child_elapsed_abstime",
                "ri_diskio_bytesread",
                "ri_diskio_byteswritten",
                "ri_cpu_time_qos_default",
                "ri_cpu_time_qos_maintenance",
                "ri_cpu_time_qos_background",
                "ri_cpu_time_qos_utility",
                "ri_cpu_time_qos_legacy",
                "ri_cpu_time_qos_user_initiated",
                "ri_cpu_time_qos_user_interactive",
                "ri_billed_system_time",
                "ri_serviced_system_time",
                "ri_logical_writes",
                "ri_lifetime_max_phys_footprint",
                "ri_instructions",
                "ri_cycles",
                "ri_billed_energy",
                "ri_serviced_energy",
                "ri_interval_max_phys_footprint",
                "ri_runnable_time",
            )
        ),
    )


def footprint_reader() -> Callable[[], Footprint]:
    """The reader for this operating system, bound to this process; on others it answers "not measured"."""
    if sys.platform == "linux":
        # One open descriptor: a read then costs some 20 µs. smaps_rollup would walk every page.
        status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        return lambda: parse_linux_status(os.pread(status, 8192, 0))
    if sys.platform == "darwin":
        return _read_macos
    return lambda: UNKNOWN


def parse_linux_status(text: bytes) -> Footprint:
    """From the text of /proc/<pid>/status; the kernel prints KiB and leaves VmSwap out where there is no swap."""
    kib: dict[bytes, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        number, _, unit = value.strip().partition(b" ")
        if unit == b"kB" and number.isdigit():
            kib[name] = int(number)
    peak = kib.get(b"VmHWM")
    if b"RssAnon" not in kib:
        return UNKNOWN
    return Footprint(
        current_bytes=1024 * (kib[b"RssAnon"] + kib.get(b"RssShmem", 0) + kib.get(b"VmSwap", 0)),
        peak_bytes=None if peak is None else 1024 * peak,
        source=LINUX_SOURCE,
        peak_source=None if peak is None else LINUX_PEAK_SOURCE,
    )


def parse_macos_rusage(buffer: bytes) -> Footprint:
    """From the bytes that `proc_pid_rusage(pid, RUSAGE_INFO_V4, ...)` fills."""
    if len(buffer) < ctypes.sizeof(RusageInfoV4):
        return UNKNOWN
    info = RusageInfoV4.from_buffer_copy(buffer)
    return Footprint(
        current_bytes=info.ri_phys_footprint,
        peak_bytes=info.ri_lifetime_max_phys_footprint,
        source=MACOS_SOURCE,
        peak_source=MACOS_PEAK_SOURCE,
    )


@cache
def _libproc() -> ctypes.CDLL:
    return ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)


def _read_macos() -> Footprint:
    """Unconfirmed on a Mac: written from the SDK's headers."""
    info = RusageInfoV4()
    if _libproc().proc_pid_rusage(os.getpid(), RUSAGE_INFO_V4, ctypes.byref(info)) != 0:
        return UNKNOWN
    return parse_macos_rusage(bytes(info))
