"""Readers of single values. Each turns a node into a value or raises Mistake, whose words follow the key's name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import StrEnum

from ltxbench.matrix import names
from ltxbench.matrix.nodes import Mapping, Node, Scalar, Sequence
from ltxbench.matrix.problems import Mistake, did_you_mean, listed, quoted
from ltxbench.matrix.scalars import Plain, resolve

Read = Callable[[Node], object]

_SIZE = re.compile(r"([0-9]{1,6})\s*[x×]\s*([0-9]{1,6})", re.ASCII)
_TRUTH_WORDS = {"yes", "no", "on", "off", "y", "n"}


def scalar(node: Node, expected: str) -> Plain:
    """The scalar's value. An empty one is no value: `steps:` must not silently mean the default."""
    if not isinstance(node, Scalar):
        raise Mistake(node.at, f"must be {expected}, not {describe(node)}")
    if node.plain and not node.text:
        raise Mistake(node.at, f"has no value; it must be {expected}")
    return resolve(node)


def describe(node: Node) -> str:
    """`a list`, `true`, `the number 3`, `the word ...`."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    try:
        value = resolve(node)
    except Mistake:  # a scalar in the place of a list or mapping need not be a good one
        return quoted(node.text)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return node.text
    if isinstance(value, int | float):
        return f"the number {node.text}"
    return quoted(node.text) if node.text else "empty text"


def integer(low: int, high: int, rule: str = "") -> Read:
    expected = f"a whole number from {low} to {high}{rule}"

    def read(node: Node) -> int:
        value = scalar(node, expected)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Mistake(node.at, f"must be {expected}, not {describe(node)}")
        return value

    return read


def number(low: float, high: float) -> Read:
    expected = f"a number from {low:g} to {high:g}"

    def read(node: Node) -> float:
        value = scalar(node, expected)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Mistake(node.at, f"must be {expected}, not {describe(node)}")
        assert math.isfinite(value)
        return float(value)

    return read


def limit(low: float, high: float, *words: str) -> Read:
    """A number, or one of a few words; `off` where none is given."""
    words = words or ("off",)
    expected = f"a number from {low:g} to {high:g}, or {listed(words)}"

    def read(node: Node) -> float | str:
        value = scalar(node, expected)
        if isinstance(value, str) and value in words:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            raise Mistake(node.at, f"must be {expected}, not {describe(node)}{near}")
        return float(value)

    return read


def stepped(low: int, high: int, step: int, offset: int, rule: str) -> Read:
    """A whole number of the form `step * n + offset`; names the nearest ones otherwise."""
    whole = integer(low, high, f", {rule}")

    def read(node: Node) -> int:
        value = whole(node)
        assert isinstance(value, int)
        if (value - offset) % step:
            raise Mistake(node.at, f"must be {rule}, not {value}; {nearest(value, step, offset, low, high)}")
        return value

    return read


def nearest(value: int, step: int, offset: int, low: int, high: int) -> str:
    """`the nearest are 768 and 832`."""
    below = value - (value - offset) % step
    near = [str(candidate) for candidate in (below, below + step) if low <= candidate <= high]
    return f"the nearest {'are' if len(near) > 1 else 'is'} {listed(near, 'and')}"


def flag(node: Node) -> bool:
    value = scalar(node, "true or false")
    if isinstance(value, bool):
        return value
    meant = "; YAML 1.2 has no other words for them" if str(value).casefold() in _TRUTH_WORDS else ""
    raise Mistake(node.at, f"must be true or false, not {describe(node)}{meant}")


def choice(options: type[StrEnum] | dict[str | bool, StrEnum]) -> Read:
    by_word: dict[str | bool, StrEnum] = (
        options if isinstance(options, dict) else {option.value: option for option in options}
    )
    words = [str(word).lower() if isinstance(word, bool) else word for word in by_word]
    expected = listed(words)

    def read(node: Node) -> StrEnum:
        value = scalar(node, expected)
        if not isinstance(value, str | bool) or value not in by_word:
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            raise Mistake(node.at, f"must be {expected}, not {describe(node)}{near}")
        return by_word[value]

    return read


def text(*, lines: bool = False, blank: bool = False, most: int | None = None) -> Read:
    """Text with its outer white space removed, at most `most` characters; `lines` lets it run over several lines,
    `blank` lets it be empty.
    """

    def read(node: Node) -> str:
        value = scalar(node, "text")
        if not isinstance(value, str):
            raise Mistake(node.at, f"must be text, not {describe(node)}; put it in quotes if it is meant as text")
        value = value.strip()
        if not value and not blank:
            raise Mistake(node.at, "is empty")
        if not lines and len(value.splitlines()) > 1:
            raise Mistake(node.at, "must be one line")
        if most is not None and len(value) > most:
            raise Mistake(node.at, f"has {len(value):,} characters; at most {most:,} are allowed")
        return value

    return read


def name(node: Node) -> str:
    value = text(blank=True)(node)
    assert isinstance(value, str)
    objection = names.objection(value)
    if objection:
        raise Mistake(node.at, f"must not be {quoted(value)}: {objection}" if value else f"must be given: {objection}")
    return value


def size(node: Node) -> tuple[int, int]:
    """`768x512`: width and height in pixels."""
    value = scalar(node, "WIDTHxHEIGHT, such as 768x512")
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise Mistake(node.at, f"must be WIDTHxHEIGHT, such as 768x512, not {describe(node)}")
    return int(match.group(1)), int(match.group(2))


def optional(read: Read) -> Read:
    """Lets a case say `null` to undo what `defaults` gave."""

    def read_optional(node: Node) -> object:
        if isinstance(node, Scalar) and node.text and resolve(node) is None:
            return None
        return read(node)

    return read_optional


def list_of(read: Read, most: int, *, unique: bool = False) -> Read:
    def read_list(node: Node) -> tuple[object, ...]:
        if not isinstance(node, Sequence):
            raise Mistake(node.at, f"must be a list, such as [..], not {describe(node)}")
        if len(node.items) > most:
            raise Mistake(node.at, f"holds {len(node.items):,} values; at most {most:,} make sense")
        values = tuple(read(item) for item in node.items)
        for index, value in enumerate(values):
            if unique and value in values[:index]:
                raise Mistake(node.items[index].at, f"holds {value} twice")
        return values

    return read_list
