"""How much is swapped out, and how much was since the machine started."""

from __future__ import annotations

import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.texts import text_of


@dataclass(frozen=True)
class Swap:
    """Of the whole machine, in bytes; None is "not read"."""

    total_bytes: int | None = None
    used_bytes: int | None = None
    swapped_out_bytes: int | None = None
    """Since the machine started; it only grows, so its growth is what was swapped out in between."""


def read_swap() -> Swap:
    """Some 0.1 ms; neither counter needs a privilege."""
    if sys.platform == "darwin":
        usage = macos_kernel.swap_usage()
        return Swap(
            usage.total_bytes if usage else None,
            usage.used_bytes if usage else None,
            macos_kernel.swapped_out_bytes(),
        )
    if sys.platform == "linux":
        total, used = parse_meminfo(text_of(Path("/proc/meminfo")))
        return Swap(total, used, parse_vmstat(text_of(Path("/proc/vmstat")), resource.getpagesize()))
    return Swap()


def swapped_out_bytes() -> int | None:
    """By the whole machine since it started."""
    if sys.platform == "darwin":
        return macos_kernel.swapped_out_bytes()
    if sys.platform == "linux":
        return parse_vmstat(text_of(Path("/proc/vmstat")), resource.getpagesize())
    return None


def parse_meminfo(text: str | None) -> tuple[int | None, int | None]:
    """Total and used swap from /proc/meminfo, which counts in KiB."""
    kib = {found[1]: int(found[2]) for found in re.finditer(r"(?m)^Swap(Total|Free):\s+([0-9]+) kB$", text or "")}
    if set(kib) != {"Total", "Free"} or kib["Free"] > kib["Total"]:
        return None, None
    return 1024 * kib["Total"], 1024 * (kib["Total"] - kib["Free"])


def parse_vmstat(text: str | None, page_bytes: int) -> int | None:
    """Bytes swapped out since the start, from /proc/vmstat, which counts pages."""
    found = re.search(r"^pswpout ([0-9]+)$", text or "", re.MULTILINE)
    return int(found[1]) * page_bytes if found else None
