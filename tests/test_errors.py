"""The exit codes are a contract."""

from __future__ import annotations

import re

from ltxbench import errors


def subclasses() -> list[type[errors.LtxbenchError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.LtxbenchError) and value is not errors.LtxbenchError
    ]


def test_every_error_has_an_exit_code_of_its_own() -> None:
    codes = [error.exit_code for error in subclasses()]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
    assert 1 not in codes


def test_the_tree_in_the_docstring_is_the_truth() -> None:
    drawn = dict(re.findall(r"── (\w+) +(\d+) ", errors.__doc__ or ""))
    assert drawn == {error.__name__: str(error.exit_code) for error in subclasses()}


def test_a_matrix_error_starts_with_file_line_and_column() -> None:
    from pathlib import Path

    error = errors.MatrixError("frames is 24", path=Path("m.yaml"), line=3, column=9, hint="Take 25.")
    assert error.message == "m.yaml:3:9: frames is 24"
    assert error.hint == "Take 25."
