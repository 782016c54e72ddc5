"""Values on their way into a page: JSON within HTML that nothing in it can close, and text without hidden controls."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from ltxbench.report.escape import Safe, visible

_CLOSING = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def json_block(value: object) -> Safe:
    """JSON for `<script type="application/json">`: no `<`, `>` or `&`, so neither a tag nor a comment begins within."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escaped in _CLOSING.items():
        text = text.replace(character, escaped)
    return Safe(text)


def plain(value: Any) -> Any:
    """What JSON can hold: dataclasses by field, enums by value, NaN and infinity as null, text made visible."""
    kind = type(value)
    if kind is float:  # most of a page's values
        return value if math.isfinite(value) else None
    if kind is int:
        return value
    if kind is str:
        return value if value.isascii() and value.isprintable() else visible(value)
    if kind is list or kind is tuple:
        return [plain(item) for item in value]
    if kind is dict:
        return {visible(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        text = str(value.value) if isinstance(value, Enum) else value
        return text if text.isascii() and text.isprintable() else visible(text)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {visible(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        items = sorted(value) if isinstance(value, frozenset | set) else value
        return [plain(item) for item in items]
    raise TypeError(f"{type(value).__name__} has no place in a page's data")


def digits(value: float | None, significant: int = 5) -> float | int | None:
    """A figure for drawing: no more digits than a screen shows."""
    if value is None or not math.isfinite(value):
        return None
    if value == 0:
        return 0
    rounded = round(value, significant - 1 - math.floor(math.log10(abs(value))))
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded
