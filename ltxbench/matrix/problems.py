"""What is wrong with a matrix file, and where. Everything independent is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from ltxbench.errors import MatrixError

MAX_SHOWN = 20
MAX_FOUND = 100
"""Where reading gives up: a file with more mistakes is no matrix, and looking for near words takes its time."""
MAX_QUOTED = 60


class Mark(NamedTuple):
    """A place in the file, counted from 1; columns are characters."""

    line: int
    column: int


class Mistake(Exception):
    """One thing wrong at one place. Never leaves this package: Problems makes it a MatrixError."""

    def __init__(self, at: Mark, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message


class Problems:
    """Collects mistakes while reading goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[Mark, str], None] = {}

    def add(self, at: Mark, message: str) -> None:
        """Raises MatrixError with what was found so far when this is one too many."""
        self._found[at, message] = None
        if len(self._found) >= MAX_FOUND:
            self.raise_if_any()

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raises MatrixError: one line for each mistake, in the order of the file."""
        if not self._found:
            return
        found = sorted(self._found)
        lines = [message for _, message in found[:1]]
        lines += [f"{self._path}:{at.line}:{at.column}: {message}" for at, message in found[1:MAX_SHOWN]]
        if len(found) > MAX_SHOWN:
            least = "at least " if len(found) >= MAX_FOUND else ""
            lines.append(f"and {least}{len(found) - MAX_SHOWN} more")
        first = found[0][0]
        raise MatrixError("\n".join(lines), path=self._path, line=first.line, column=first.column)


def quoted(text: str) -> str:
    """The text as a message may show it: short, on one line, nothing a terminal would act on."""
    short = text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"
    return f"`{printable(short)}`"


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal would act on."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where no known word is near."""
    by_folded = {name.casefold().replace("-", "_"): name for name in known}
    near = get_close_matches(word[:MAX_QUOTED].casefold().replace("-", "_"), by_folded, n=1)
    return f" (did you mean {by_folded[near[0]]}?)" if near else ""


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
