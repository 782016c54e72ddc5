"""What an unquoted word means: the core schema of YAML 1.2.

`no` is a word, `1:30` is a word, `1e3` is a number. `042`, which YAML 1.1 reads as 34, is refused.
Specification: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re

from ltxbench.matrix.nodes import Scalar
from ltxbench.matrix.problems import Mistake, quoted

MAX_DIGITS = 40

_NULL = {"", "null", "Null", "NULL", "~"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII
)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_SPECIAL = re.compile(r"\.(inf|nan)\Z", re.IGNORECASE)
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Plain = bool | int | float | str | None


def resolve(scalar: Scalar) -> Plain:
    """The value of a scalar. Raises Mistake for numbers with a leading zero and for escaped control characters."""
    text = scalar.text
    unwanted = _UNWANTED.search(text)
    if unwanted:
        raise Mistake(scalar.at, f"holds the control character U+{ord(unwanted.group()):04X}")
    if not scalar.plain:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _integer(scalar)
    if _FLOAT.fullmatch(text):
        _refuse_odd_number(scalar)
        return float(_SPECIAL.sub(lambda match: match.group(1), text))
    return text


def _integer(scalar: Scalar) -> int:
    _refuse_odd_number(scalar)
    return int(scalar.text, 0)


def _refuse_odd_number(scalar: Scalar) -> None:
    text = scalar.text
    if len(text) > MAX_DIGITS:
        raise Mistake(scalar.at, f"is a number of {len(text):,} characters, which nothing here needs")
    if _LEADING_ZERO.match(text):
        decimal = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", text)
        raise Mistake(
            scalar.at,
            f"is {quoted(text)}, which some YAML readers take for octal; write {decimal}, or quote it if it is a word",
        )
