"""Figures as people and programs print them: `84.3s`, `~1400s`, `2m 03s`, `52943 MB`, `15 GB`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
ABOUT = r"(?:[~≈∼]\s*|(?:about|approx(?:\.|imately)?|circa|ca\.)\s+)?"
_UNITS_S = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0}
_UNITS_S |= {"m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hours": 3600.0}
_WORD = r"(?![A-Za-z])"

DURATION = (
    rf"{ABOUT}(?:"
    rf"(?:(?:{NUMBER})\s*h\s*)?(?:{NUMBER})\s*m(?:in)?\s*(?:{NUMBER})\s*s{_WORD}"
    rf"|\d+:\d\d(?::\d\d)?(?:\.\d+)?"
    rf"|(?:{NUMBER})\s*(?:{'|'.join(sorted(_UNITS_S, key=len, reverse=True))}){_WORD})"
)
"""A pattern without groups of its own."""
SIZE = rf"{ABOUT}(?:{NUMBER})\s*(?:[KMGT]i?B|bytes|B){_WORD}"

_CLOCK = re.compile(rf"(?:({NUMBER})\s*h\s*)?({NUMBER})\s*m(?:in)?\s*({NUMBER})\s*s{_WORD}")
_COLONS = re.compile(r"(?:(\d+):)?(\d+):(\d\d(?:\.\d+)?)")
_SIMPLE = re.compile(rf"({NUMBER})\s*([A-Za-z]+)")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Quantity:
    text: str
    """As it was printed, surrounding space apart."""
    value: float
    """Seconds, or bytes."""
    rounding: float
    """Half of the last digit's worth: the true value lies within that, if it was rounded."""
    approximate: bool
    """Said to be so."""

    def __str__(self) -> str:
        return self.text


def duration(text: str) -> Quantity | None:
    """None where the text begins with no duration."""
    match = re.match(DURATION, text.strip())
    if match is None:
        return None
    printed = match.group()
    if clock := _CLOCK.search(printed):
        hours, minutes, seconds = ((_number(part)[0] if part else 0.0) for part in clock.groups())
        return _quantity(printed, 3600 * hours + 60 * minutes + seconds, _number(clock[3])[1])
    if colons := _COLONS.search(printed):
        hours, minutes, seconds = (float(part or 0) for part in colons.groups())
        return _quantity(printed, 3600 * hours + 60 * minutes + seconds, _number(colons[3])[1])
    simple = _SIMPLE.search(printed)
    assert simple is not None
    (value, rounding), unit = _number(simple[1]), _UNITS_S[simple[2].lower()]
    return _quantity(printed, value * unit, rounding * unit)


def size(text: str, *, binary: bool = True) -> Quantity | None:
    """Bytes. `binary`: MB and GB are 2^20 and 2^30, as the program prints them; MiB and GiB are so anyway."""
    match = re.match(SIZE, text.strip())
    simple = _SIMPLE.search(match.group()) if match else None
    if match is None or simple is None:
        return None
    unit = simple[2]
    letter = "" if unit in ("bytes", "B") else unit[0]
    factor = float((1024 if binary or "i" in unit else 1000) ** _POWERS[letter])
    value, rounding = _number(simple[1])
    return _quantity(match.group(), value * factor, rounding * factor)


def _quantity(printed: str, value: float, rounding: float) -> Quantity | None:
    if not math.isfinite(value):
        return None
    return Quantity(printed.strip(), value, rounding, re.match(r"\s*\d", printed) is None)


def _number(text: str) -> tuple[float, float]:
    """Value, and half of the last digit's worth. A comma before three digits groups them, any other is a point."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    text = text.replace(",", ".")
    decimals = len(text.partition(".")[2])
    return float(text), 0.5 * 10.0 ** -min(decimals, 300)
