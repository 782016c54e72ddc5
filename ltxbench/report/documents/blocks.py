"""Finding the generated parts of a document, and putting new ones in their place.

    <!-- ltxbench:table matrix=beaver-dam columns=case,generation,peak -->
    | what stands here is written by `ltxbench docs` |
    <!-- /ltxbench -->

Nothing outside the comments is touched, line ends included. Comments in fenced code are text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ltxbench.errors import UsageError

_MARKER = re.compile(r"<!--\s*(?:ltxbench:(?P<kind>[^\s>]*)(?P<options>[^>]*?)|(?P<end>/\s*ltxbench))\s*-->")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
SYNTAX = "A block is `<!-- ltxbench:KIND key=value ... -->`, what is generated, and `<!-- /ltxbench -->`."


@dataclass(frozen=True)
class Block:
    kind: str
    options: Mapping[str, str]
    line: int
    """Of the first comment, from 1."""
    start: int
    end: int
    """Of what is generated, as offsets in the text."""
    inline: bool
    """Both comments are on one line."""

    def where(self, path: Path) -> str:
        return f"{path}:{self.line}"


def find(text: str, path: Path) -> tuple[Block, ...]:
    """The blocks in their order. Raises UsageError, with file and line, for one that is nested, unclosed or unreadable.

    path: of the document, for messages
    """
    blocks: list[Block] = []
    opened: tuple[re.Match[str], int] | None = None
    for match, line in _markers(text):
        if match["end"] is None:
            if opened is not None:
                raise UsageError(f"{path}:{line}: a block within the block of line {opened[1]}", hint=SYNTAX)
            opened = match, line
            continue
        if opened is None:
            raise UsageError(f"{path}:{line}: the end of a block that has no beginning", hint=SYNTAX)
        first, first_line = opened
        opened = None
        blocks.append(
            Block(
                kind=first["kind"],
                options=_options(first["options"], f"{path}:{first_line}"),
                line=first_line,
                start=first.end(),
                end=match.start(),
                inline=first_line == line,
            )
        )
    if opened is not None:
        raise UsageError(f"{path}:{opened[1]}: a block without an end", hint=SYNTAX)
    return tuple(blocks)


def replaced(text: str, blocks: tuple[Block, ...], generate: Callable[[Block], str]) -> str:
    """The text with what `generate` gives for each block; a block over several lines keeps its line ends."""
    parts: list[str] = []
    position = 0
    for block in blocks:
        new = generate(block).strip("\n")
        if not block.inline:
            line_end = _line_end(text, block.start)
            new = line_end + new.replace("\n", line_end) + line_end
        parts += [text[position : block.start], new]
        position = block.end
    return "".join([*parts, text[position:]])


def _line_end(text: str, start: int) -> str:
    """As the line of the first comment has it."""
    place = text.find("\n", start)
    return "\r\n" if place > 0 and text[place - 1] == "\r" else "\n"


def _markers(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """(comment, its line), but for those in code."""
    fence = ""
    offset = 0
    for number, line in enumerate(text.split("\n"), start=1):
        ticks = _FENCE.match(line)
        if ticks and not fence and not (ticks[1][0] == "`" and "`" in ticks[2]):
            fence = ticks[1]
        elif ticks and fence and ticks[1].startswith(fence) and not ticks[2].strip():
            fence = ""
        elif not fence:
            spans = [span.span() for span in _CODE_SPAN.finditer(line)]
            for match in _MARKER.finditer(text, offset, offset + len(line)):
                if not any(start <= match.start() - offset < end for start, end in spans):
                    yield match, number
        offset += len(line) + 1


def _options(text: str, where: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{where}: {text.strip()!r} cannot be read ({error})", hint=SYNTAX) from None
    options: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{where}: {word!r} is no key=value", hint=SYNTAX)
        if key in options:
            raise UsageError(f"{where}: {key} is given twice", hint=SYNTAX)
        options[key] = value
    return options
