"""Matrix texts, read from memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.errors import MatrixError
from ltxbench.matrix.case import Case, Matrix
from ltxbench.matrix.reader import read
from ltxbench.matrix.source import Source

HEAD = "matrix: m\nprompt: p\n"


def matrix(text: str) -> Matrix:
    return read(Source(Path("m.yaml"), text, "0" * 64))


def cases(body: str) -> tuple[Case, ...]:
    """The cases of a file that starts with HEAD; `body` begins in line 3."""
    return matrix(HEAD + body).cases


def case(settings: str) -> Case:
    (only,) = cases(f"cases: [{{name: a, {settings}}}]")
    return only


def complaints(text: str) -> list[str]:
    """The lines of the error, each with its place."""
    with pytest.raises(MatrixError) as caught:
        matrix(text)
    assert caught.value.exit_code == 3
    lines = caught.value.message.splitlines()
    assert all(line.startswith(("m.yaml:", "and ")) for line in lines)
    return lines


def complaint(body: str) -> str:
    """The single complaint about a file that starts with HEAD."""
    (only,) = complaints(HEAD + body)
    return only
