"""How a figure is written on the page. One place, so that two tables never round the same value differently."""

from __future__ import annotations

import math
from collections.abc import Iterable

MISSING = "–"
"""Not measured. Never 0."""

GIB = 1024**3
MIB = 1024**2


def seconds(value_s: float | None) -> str:
    """Three significant digits below 100 s, then minutes, then hours: `9.53 s`, `1 m 53 s`, `2 h 05 m`."""
    if value_s is None:
        return MISSING
    if value_s < 0:
        return "−" + seconds(-value_s)
    if 0 < value_s < 0.001:
        return f"{value_s * 1000:.2g} ms"
    rounded = significant(value_s, 3)
    if rounded < 100:
        return f"{fixed(rounded, 3)} s"
    minutes, rest = divmod(round(value_s), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(round(value_s / 60), 60)
    return f"{hours} h {minutes:02d} m"


def plain_seconds(value_s: float | None) -> str:
    """For a column that names the unit: `0.412`, `9.53`, `705`."""
    if value_s is None:
        return MISSING
    rounded = significant(value_s, 3)
    return f"{value_s:,.0f}" if abs(rounded) >= 100 else fixed(rounded, 3)


def span(low_s: float, high_s: float) -> str:
    """From one time to another, the unit once: `7.55–7.71 s`."""
    low, high = seconds(low_s), seconds(high_s)
    if low == high:
        return low
    (first, _, one), (second, _, other) = low.rpartition(" "), high.rpartition(" ")
    return f"{first}–{high}" if one == other and " " not in first + second else f"{low} – {high}"


def joules(value_j: float | None) -> str:
    """`9.53 J`, `1,705 J`, `0.412 J`."""
    return MISSING if value_j is None else f"{plain_joules(value_j)} J"


def plain_joules(value_j: float | None) -> str:
    """For a column that names the unit: `0.412`, `9.53`, `1,705`."""
    return plain_seconds(value_j)


def plain_gib(value_bytes: float | None) -> str:
    """For a column that names the unit: `0.215`, `4.71`, `52.4`."""
    return gib(value_bytes).removesuffix(" GiB")


def gib(value_bytes: float | None) -> str:
    """Binary gigabytes (2**30): `52.4 GiB`, `4.71 GiB`, `0.215 GiB`."""
    if value_bytes is None:
        return MISSING
    value = value_bytes / GIB
    if abs(value) >= 10:
        return f"{value:.1f} GiB"
    return f"{value:.{2 if abs(value) >= 1 else 3}f} GiB"


FLOP_UNITS = {"TFLOP": 1e12, "GFLOP": 1e9, "MFLOP": 1e6}


def flop_unit(values: Iterable[float]) -> str:
    """The largest unit of which the largest value has at least one."""
    largest = max(values, default=0.0)
    return next((unit for unit in ("TFLOP", "GFLOP") if largest >= FLOP_UNITS[unit]), "MFLOP")


def plain_flops(value: float | None, unit: str) -> str:
    """For a column that names the unit: `41.1`, `0.855`, `1,234`."""
    if value is None:
        return MISSING
    whole = value / FLOP_UNITS[unit]
    rounded = significant(whole, 3)
    return f"{whole:,.0f}" if abs(rounded) >= 1000 else fixed(rounded, 3)


def flops_rate(value_per_s: float | None) -> str:
    """`727 TFLOP/s`, `146 GFLOP/s`."""
    if value_per_s is None:
        return MISSING
    unit = flop_unit([value_per_s])
    return f"{plain_flops(value_per_s, unit)} {unit}/s"


def percent(value: float | None) -> str:
    """A share: `81%`, `7.4%`."""
    if value is None:
        return MISSING
    return f"{100 * value:.{0 if 100 * value >= 9.95 else 1}f}%"


def size(value_bytes: float | None) -> str:
    """The size of a file: `812 KiB`, `1.4 MiB`."""
    if value_bytes is None:
        return MISSING
    if value_bytes < MIB:
        return f"{max(1, round(value_bytes / 1024))} KiB"
    return f"{value_bytes / MIB:.1f} MiB"


def change(new: float | None, old: float | None) -> str:
    """The relative difference from `old` to `new`: `−43%`, `+1.2%`."""
    if new is None or old is None or old == 0:
        return MISSING
    percent = 100 * (new / old - 1)
    digits = 0 if abs(percent) >= 10 else 1
    text = f"{abs(percent):.{digits}f}"
    if float(text) == 0:
        return "0%"
    return f"{'−' if percent < 0 else '+'}{text}%"


def sigma(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def number(value: float) -> str:
    """A setting as it was written: `4.0`, `0.7`, `1.25`."""
    return f"{value:.1f}" if value == round(value, 1) else f"{value:g}"


def cases(numbers: Iterable[int]) -> str:
    """`#1, #2 and #5`; runs of three or more become `#1–#4`."""
    parts: list[str] = []
    run: list[int] = []
    for current in [*sorted(set(numbers)), None]:
        if run and (current is None or current != run[-1] + 1):
            parts += [f"#{run[0]}–#{run[-1]}"] if len(run) > 2 else [f"#{item}" for item in run]
            run = []
        if current is not None:
            run.append(current)
    return listed(parts)


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def significant(value: float, digits: int) -> float:
    """`value` rounded to so many significant digits."""
    if value == 0:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def fixed(value: float, digits: int) -> str:
    """So many significant digits, trailing zeros kept: `9.50`."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
