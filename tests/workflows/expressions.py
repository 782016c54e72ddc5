"""GitHub's expressions, as far as the workflows here use them, so that guards and steps can be tried without GitHub.

Written from "Evaluate expressions in workflows and actions" in GitHub's documentation: operators by precedence, values
of different types compared as numbers, strings without regard to case, and a condition without a status function taken
as `success() && (condition)`. What is not known here raises, instead of being nothing as it is on GitHub.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|'(?P<string>(?:[^']|'')*)'|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|[!().,\[\]]))"
)
PLACE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STATUS = ("always", "success", "failure", "cancelled")
LITERALS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
BINDING = {"||": 1, "&&": 2, "==": 3, "!=": 3}


@dataclass
class Status:
    """How the job, or what it needs, went so far."""

    failed: bool = False
    cancelled: bool = False

    def call(self, name: str) -> bool:
        return {
            "always": True,
            "success": not self.failed and not self.cancelled,
            "failure": self.failed,
            "cancelled": self.cancelled,
        }[name]


@dataclass
class Evaluator:
    contexts: Mapping[str, Any]
    status: Status = field(default_factory=Status)

    def condition(self, text: str | None) -> bool:
        """Of an `if:`; none is `success()`."""
        inner = str(text if text is not None else "success()").strip()
        if (whole := PLACE.fullmatch(inner)) is not None:
            inner = whole[1]
        asks = any(re.search(rf"\b{name}\s*\(", inner) for name in STATUS)
        return (asks or self.status.call("success")) and truth(self.value(inner))

    def interpolate(self, text: object) -> str:
        if isinstance(text, bool):
            return "true" if text else "false"
        return PLACE.sub(lambda place: written(self.value(place[1])), str(text))

    def value(self, text: str) -> Any:
        tokens, end = [], 0
        text = text.strip()
        while end < len(text):
            found = TOKEN.match(text, end)
            if found is None:
                raise SyntaxError(f"{text!r}: not understood from {text[end:]!r}")
            end = found.end()
            kind = str(found.lastgroup)
            tokens.append((kind, found[kind]))
        parser = _Parser(tokens, self)
        result = parser.expression(0)
        if parser.tokens:
            raise SyntaxError(f"{text!r}: {parser.tokens} is left over")
        return result


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], evaluator: Evaluator) -> None:
        self.tokens, self.evaluator = tokens, evaluator

    def take(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("sign", sign):
            self.tokens.pop(0)
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise SyntaxError(f"{sign} is missing before {self.tokens}")

    def expression(self, least: int) -> Any:
        left = self.unary()
        while self.tokens and self.tokens[0][0] == "sign" and BINDING.get(self.tokens[0][1], 0) > least:
            sign = self.tokens.pop(0)[1]
            right = self.expression(BINDING[sign])
            match sign:
                case "&&":
                    left = right if truth(left) else left
                case "||":
                    left = left if truth(left) else right
                case _:
                    left = equal(left, right) is (sign == "==")
        return left

    def unary(self) -> Any:
        if self.take("!"):
            return not truth(self.unary())
        if self.take("("):
            inner = self.expression(0)
            self.expect(")")
            return inner
        kind, text = self.tokens.pop(0)
        if kind == "number":
            return float(text)
        if kind == "string":
            return text.replace("''", "'")
        if kind != "name":
            raise SyntaxError(f"{text} is no value")
        if text in LITERALS:
            return LITERALS[text]
        return self.called(text) if self.take("(") else self.followed(text)

    def called(self, name: str) -> Any:
        arguments = []
        while not self.take(")"):
            arguments.append(self.expression(0))
            self.take(",")
        if name in STATUS:
            return self.evaluator.status.call(name)
        if name == "format":
            form, *values = (written(each) for each in arguments)
            return form.format(*values)
        raise NameError(f"function {name}")

    def followed(self, name: str) -> Any:
        if name not in self.evaluator.contexts:
            raise NameError(f"context {name}")
        value: Any = self.evaluator.contexts[name]
        while self.take("."):
            kind, key = self.tokens.pop(0)
            assert kind == "name"
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def truth(value: Any) -> bool:
    return value not in (None, False, 0, "") and value == value  # NaN is false


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if type(left) is type(right):
        return bool(left == right)
    return number(left) == number(right)


def number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
