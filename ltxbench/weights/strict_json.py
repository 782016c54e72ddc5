"""JSON from strangers: UTF-8, no key twice, no NaN, no depth or digits that Python chokes on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from ltxbench.errors import WeightsError
from ltxbench.matrix.problems import quoted
from ltxbench.regular import open_regular


class StrictJsonError(Exception):
    """Why a text is not taken, in words that follow a file's name."""


def parse(text: bytes) -> Any:
    """Raises StrictJsonError."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"byte {error.start:,} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise StrictJsonError("not JSON that is read here: nested too deep") from None
    except ValueError:
        # int() refuses more than 4,300 digits.
        raise StrictJsonError("not JSON that is read here: a number of absurd length") from None


def read_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """The object in a file of at most `most_bytes`. Raises WeightsError."""
    try:
        with open_regular(path, follow=True) as file:
            text = file.read(most_bytes + 1)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if len(text) > most_bytes:
        raise WeightsError(f"{path}: more than {most_bytes:,} bytes, which no such file needs")
    try:
        content = parse(text)
    except StrictJsonError as error:
        raise WeightsError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: not a JSON object")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise StrictJsonError(f"{quoted(twice)} is listed twice")
    return entries


def _refuse_constant(word: str) -> NoReturn:
    raise StrictJsonError(f"{word} is no JSON")
