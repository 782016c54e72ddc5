from __future__ import annotations

import ctypes
import struct

import pytest

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.memory_pressure import MemoryPressure, parse_psi
from ltxbench.sensors.swap import parse_meminfo, parse_vmstat, read_swap
from tests.sensors import recorded

MEMINFO = "MemTotal: 16303428 kB\nSwapCached:  4 kB\nSwapTotal:  2097148 kB\nSwapFree:  2035196 kB\n"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (recorded.PSI_IDLE, "normal"),
        (recorded.PSI_BUSY, "warning"),
        (recorded.PSI_THRASHING, "critical"),
        (recorded.PSI_BUSY.splitlines()[0], None),
        (recorded.PSI_IDLE.replace(".", ","), None),
        (None, None),
    ],
)
def test_pressure_is_the_time_spent_waiting_for_memory(text, level):
    assert parse_psi(text).level == level


@pytest.mark.parametrize("text", recorded.GARBAGE)
def test_what_is_no_pressure_file_is_not_read(text):
    assert parse_psi(text) == MemoryPressure()
    assert parse_meminfo(text) == (None, None)
    assert parse_vmstat(text, 4096) is None


def test_meminfo_counts_in_kib_and_vmstat_in_pages():
    assert parse_meminfo(MEMINFO) == (1024 * 2097148, 1024 * (2097148 - 2035196))
    assert parse_vmstat("pgpgin 7\npswpin 12\npswpout 15680\n", 16384) == 15680 * 16384


def test_this_machine_s_swap_is_read():
    swap = read_swap()
    assert swap.used_bytes is None or 0 <= swap.used_bytes <= swap.total_bytes


def test_macos_swap_is_read_from_the_kernel_s_structure_whatever_the_language():
    total, used = 3 << 30, 1 << 30
    data = struct.pack("<3QIi", total, total - used, used, 16384, 1)
    assert macos_kernel.parse_swap_usage(data) == macos_kernel.SwapUsage(total, used)
    assert macos_kernel.parse_swap_usage(data[:23]) is None
    assert macos_kernel.parse_swap_usage(None) is None
    assert macos_kernel.parse_swap_usage(struct.pack("<3QIi", total, 5, used, 16384, 1)) is None


def test_swapped_out_pages_lie_where_the_headers_put_them():
    # vm_statistics64: 4 counts of 32 bits, 9 of 64, 2 of 32, then decompressions, compressions, swapins, swapouts.
    data = struct.pack("<4I9Q2I4Q4IQ", *range(4), *range(9), 0, 0, 11, 12, 13, 45, *range(4), 0)
    assert len(data) == ctypes.sizeof(macos_kernel.VmStatistics64)
    assert macos_kernel.parse_vm_statistics(data, 16384) == 45 * 16384
    assert macos_kernel.parse_vm_statistics(data[:-1], 16384) is None
    assert macos_kernel.parse_vm_statistics(data, None) is None


@pytest.mark.parametrize(("data", "number"), [(b"\1\0\0\0", 1), (b"\2\0\0\0\0\0\0\0", 2), (b"", None), (b"1\n", None)])
def test_a_sysctl_of_another_size_is_no_number(data, number):
    assert macos_kernel.parse_int(data) == number


def test_on_another_system_macos_answers_nothing():
    if macos_kernel.sys.platform == "darwin":
        pytest.skip("this is a Mac")
    assert macos_kernel.swap_usage() is None
    assert macos_kernel.pressure_level() is None
    assert macos_kernel.thermal_level() is None
    assert macos_kernel.swapped_out_bytes() is None
    assert macos_kernel.virtual() is None
    assert macos_kernel.display_asleep() is None
