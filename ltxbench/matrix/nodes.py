"""YAML text becomes a tree of nodes that know where they stand.

Built on PyYAML's event stream, not on its object constructor: events still show anchors, aliases and tags, and
come one by one, so that nesting and size are bounded before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from ltxbench.errors import MatrixError
from ltxbench.matrix.problems import Mark, quoted

MAX_DEPTH = 16
MAX_NODES = 100_000
TOO_DEEP = f"nested more than {MAX_DEPTH} deep"

Parser: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: ten times faster, the same events."""


class Scalar(NamedTuple):
    at: Mark
    text: str
    plain: bool
    """Neither quoted nor a block: the text may stand for a number, a truth value or null."""


class Sequence(NamedTuple):
    at: Mark
    items: tuple[Node, ...]


class Mapping(NamedTuple):
    at: Mark
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Sequence | Mapping


def parse(text: str, path: Path) -> Node:
    """The single document of a file.

    Raises MatrixError: not YAML, more than one document, anchors, aliases, tags, directives, keys that are no words,
    deeper or larger than anything a matrix needs.
    """
    reader = _TreeReader(text, path)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context)
        if error.context and error.context_mark:
            problem += f" ({error.context} that starts in line {error.context_mark.line + 1})"
        hint = "Indent with spaces, not tabs." if mark and _starts_with_tab(text, mark.line) else None
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        if "nesting depth" in problem:  # newer libyaml counts while it looks ahead, before there is an event
            raise MatrixError(TOO_DEEP, path=path, line=line, column=column) from error
        raise MatrixError(f"not YAML: {problem}", path=path, line=line, column=column, hint=hint) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML in Python lets int() and chr() fail on absurd escapes and version numbers.
        line, column = reader.last
        raise MatrixError(
            f"not YAML: {error} (after the value that starts here)", path=path, line=line, column=column
        ) from error


class _TreeReader:
    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self._next: Callable[[], yaml.Event] = yaml.parse(text, Loader=Parser).__next__
        self._nodes = 0
        self.last = Mark(1, 1)
        """Where the latest value starts."""

    def document(self) -> Node:
        self._next()
        start = self._next()
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self._error(start, "the file is empty")
        if start.tags or (start.version and tuple(start.version) != (1, 2)):
            raise self._error(start, "the only directive a matrix file may hold is `%YAML 1.2`")
        root = self._node(self._next(), 1)
        self._next()
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise self._error(end, "a second document starts here; a matrix file holds one")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(event, f"the file holds more than {MAX_NODES:,} values")
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor:
            sign, what = ("*", "aliases") if isinstance(event, yaml.AliasEvent) else ("&", "anchors")
            raise self._error(event, f"{what} ({quoted(sign + event.anchor)}) are not allowed; write the value out")
        at = self.last = _mark(event)
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None:
                raise self._error(event, f"tags ({quoted(event.tag)}) are not allowed")
            return Scalar(at, event.value, plain=not event.style)
        assert isinstance(event, yaml.CollectionStartEvent)
        if event.tag is not None:
            raise self._error(event, f"tags ({quoted(event.tag)}) are not allowed")
        if depth > MAX_DEPTH:
            raise self._error(event, TOO_DEEP)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(at, tuple(self._items(depth)))
        return Mapping(at, tuple(self._entries(depth)))

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise self._error(event, "a key is one word, not a list or a mapping")
            if key.plain and key.text == "<<":
                raise self._error(event, "merge keys (`<<`) are not allowed; put shared settings under `defaults`")
            yield key, self._node(self._next(), depth + 1)

    def _error(self, event: yaml.Event, message: str) -> MatrixError:
        at = _mark(event)
        return MatrixError(message, path=self._path, line=at.line, column=at.column)


def _mark(event: yaml.Event) -> Mark:
    mark = event.start_mark
    assert mark is not None
    return Mark(mark.line + 1, mark.column + 1)


def _starts_with_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    return line < len(lines) and lines[line].lstrip(" ").startswith("\t")
