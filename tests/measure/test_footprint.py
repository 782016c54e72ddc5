from __future__ import annotations

import struct
import sys

import pytest

from ltxbench.measure.footprint import (
    UNKNOWN,
    Footprint,
    footprint_reader,
    parse_linux_status,
    parse_macos_rusage,
)

# /proc/<pid>/status of a Python process with MLX, Linux 6.18, shortened.
STATUS = b"""Name:\tpython
Umask:\t0022
State:\tS (sleeping)
Pid:\t4242
VmPeak:\t 1843200 kB
VmSize:\t 1738900 kB
VmHWM:\t  912344 kB
VmRSS:\t  700000 kB
RssAnon:\t  600000 kB
RssFile:\t   98000 kB
RssShmem:\t    2000 kB
VmData:\t 1300000 kB
VmSwap:\t    1000 kB
Threads:\t7
"""


def test_linux_counts_what_is_the_process_own_and_not_the_files_it_maps():
    assert parse_linux_status(STATUS) == Footprint(
        current_bytes=1024 * 603_000,
        peak_bytes=1024 * 912_344,
        source="RssAnon + RssShmem + VmSwap",
        peak_source="VmHWM (peak resident set)",
    )


def test_a_kernel_without_swap_leaves_the_line_out():
    without = b"\n".join(line for line in STATUS.splitlines() if not line.startswith(b"VmSwap"))
    assert parse_linux_status(without).current_bytes == 1024 * 602_000


@pytest.mark.parametrize("text", [b"", b"Name:\tkthreadd\nState:\tS\n", b"RssAnon:\tmany kB\n"])
def test_what_cannot_be_read_is_absent_and_not_zero(text):
    assert parse_linux_status(text) == UNKNOWN


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_reader_follows_an_allocation_and_remembers_the_highest():
    read = footprint_reader()
    before = read()
    block = bytearray(64 << 20)
    block[::4096] = b"\1" * len(block[::4096])
    during = read()
    del block
    after = read()
    assert during.current_bytes - before.current_bytes == pytest.approx(64 << 20, rel=0.1)
    assert after.current_bytes < during.current_bytes
    assert after.peak_bytes >= during.current_bytes


def test_macos_fields_are_where_the_sdk_puts_them():
    # rusage_info_v4: ri_uuid[16], then 64-bit fields; the 8th is ri_phys_footprint, the 29th its lifetime maximum.
    fields = list(range(1, 36))
    fields[7], fields[28] = 5 << 30, 9 << 30
    buffer = bytes(16) + struct.pack("<35Q", *fields)
    assert parse_macos_rusage(buffer) == Footprint(
        current_bytes=5 << 30,
        peak_bytes=9 << 30,
        source="ri_phys_footprint",
        peak_source="ri_lifetime_max_phys_footprint",
    )


def test_a_macos_buffer_that_is_cut_is_not_measured():
    assert parse_macos_rusage(bytes(100)) == UNKNOWN
