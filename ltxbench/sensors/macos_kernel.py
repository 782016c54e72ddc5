"""What macOS's kernel and its notification service say, without starting a program.

Written from Apple's headers (sys/sysctl.h, mach/vm_statistics.h, notify.h, libkern/OSThermalNotification.h) and
unconfirmed on a Mac.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from dataclasses import dataclass
from functools import cache

HOST_VM_INFO64 = 4
NOTIFY_STATUS_OK = 0
THERMAL_PRESSURE = b"com.apple.system.thermalpressurelevel"

THERMAL_LEVELS = {0: "nominal", 1: "moderate", 2: "heavy", 3: "trapping", 4: "sleeping"}
"""OSThermalPressureLevel on macOS; on iOS the numbers are others."""

PRESSURE_LEVELS = {1: "normal", 2: "warning", 4: "critical"}
"""`kern.memorystatus_vm_pressure_level`."""


@dataclass(frozen=True)
class SwapUsage:
    total_bytes: int
    used_bytes: int


class VmStatistics64(ctypes.Structure):
    """`vm_statistics64` of mach/vm_statistics.h; counts are pages."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("free", "active", "inactive", "wire")),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "zero_fill",
                "reactivations",
                "pageins",
                "pageouts",
                "faults",
                "cow_faults",
                "lookups",
                "hits",
                "purges",
            )
        ),
        *((name, ctypes.c_uint32) for name in ("purgeable", "speculative")),
        *((name, ctypes.c_uint64) for name in ("decompressions", "compressions", "swapins", "swapouts")),
        *((name, ctypes.c_uint32) for name in ("compressor_pages", "throttled", "external_pages", "internal_pages")),
        ("uncompressed_in_compressor", ctypes.c_uint64),
    )


def parse_swap_usage(data: bytes | None) -> SwapUsage | None:
    """From the bytes of `vm.swapusage`, a `struct xsw_usage`: total, available, used, page size, encrypted."""
    if data is None or len(data) < 24:
        return None
    total, available, used = struct.unpack_from("<3Q", data)
    # A structure that is not this one does not add up.
    return SwapUsage(total_bytes=total, used_bytes=used) if used + available == total else None


def parse_int(data: bytes | None) -> int | None:
    """From the bytes of a sysctl of type int or long."""
    if data is None or len(data) not in (4, 8):
        return None
    return int.from_bytes(data, "little", signed=True)


def parse_vm_statistics(data: bytes | None, page_bytes: int | None) -> int | None:
    """Bytes swapped out since the machine started."""
    if data is None or page_bytes is None or page_bytes <= 0 or len(data) < ctypes.sizeof(VmStatistics64):
        return None
    return int(VmStatistics64.from_buffer_copy(data).swapouts) * page_bytes


def swap_usage() -> SwapUsage | None:
    return parse_swap_usage(sysctl("vm.swapusage"))


def pressure_level() -> str | None:
    """Of memory: normal, warning or critical."""
    level = parse_int(sysctl("kern.memorystatus_vm_pressure_level"))
    return None if level is None else PRESSURE_LEVELS.get(level)


def virtual() -> bool | None:
    """The kernel runs in a virtual machine."""
    present = parse_int(sysctl("kern.hv_vmm_present"))
    return None if present is None else present != 0


def thermal_level() -> str | None:
    """The name of the thermal pressure level, which is the same for every process.

    A key that nobody ever posted reads 0, as nominal does: in a virtual machine the answer means nothing.
    """
    level = notified(THERMAL_PRESSURE)
    return None if level is None else THERMAL_LEVELS.get(level)


def swapped_out_bytes() -> int | None:
    """By the whole machine since it started."""
    library = _system()
    if library is None:
        return None
    statistics = VmStatistics64()
    count = ctypes.c_uint32(ctypes.sizeof(statistics) // 4)
    host = library.mach_host_self()
    if library.host_statistics64(host, HOST_VM_INFO64, ctypes.byref(statistics), ctypes.byref(count)) != 0:
        return None
    return parse_vm_statistics(bytes(statistics)[: 4 * count.value], parse_int(sysctl("hw.pagesize")))


def display_asleep() -> bool | None:
    """Of the main display; None where there is no window server to ask."""
    if sys.platform != "darwin":
        return None
    try:
        graphics = ctypes.CDLL("/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics")
        graphics.CGMainDisplayID.restype = ctypes.c_uint32
        graphics.CGDisplayIsAsleep.argtypes = (ctypes.c_uint32,)
        graphics.CGDisplayIsAsleep.restype = ctypes.c_uint32
        display = graphics.CGMainDisplayID()
        return bool(graphics.CGDisplayIsAsleep(display)) if display else None
    except (OSError, AttributeError):
        return None


def sysctl(name: str) -> bytes | None:
    """The raw bytes of a sysctl; None when there is none of this name."""
    library = _system()
    if library is None:
        return None
    size = ctypes.c_size_t(0)
    if library.sysctlbyname(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0 or not size.value:
        return None
    buffer = ctypes.create_string_buffer(size.value)
    if library.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return buffer.raw[: size.value]


def notified(name: bytes) -> int | None:
    """The state of a key of notify(3)."""
    library, token = _system(), _token(name)
    if library is None or token is None:
        return None
    state = ctypes.c_uint64()
    if library.notify_get_state(ctypes.c_int(token), ctypes.byref(state)) != NOTIFY_STATUS_OK:
        return None
    return int(state.value)


@cache
def _token(name: bytes) -> int | None:
    """Registered once: a token lives as long as the process."""
    library = _system()
    token = ctypes.c_int()
    if library is None or library.notify_register_check(name, ctypes.byref(token)) != NOTIFY_STATUS_OK:
        return None
    return token.value


@cache
def _system() -> ctypes.CDLL | None:
    if sys.platform != "darwin":
        return None
    try:
        return ctypes.CDLL("/usr/lib/libSystem.dylib", use_errno=True)
    except OSError:
        return None
