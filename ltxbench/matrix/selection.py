"""Picking cases of a matrix, and how to run one again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ltxbench.errors import UsageError
from ltxbench.matrix.case import PRESENTATION, Case, Matrix, Quantization
from ltxbench.matrix.catalog import FOLDER, SUFFIXES
from ltxbench.matrix.problems import did_you_mean, quoted

_NOT_COMPARED = {*PRESENTATION, "quantization", "quantized_layers"}


def select(matrix: Matrix, names: Sequence[str]) -> tuple[Case, ...]:
    """The cases of these names, in the order asked for; all where none is named. `dev*` is every name that fits.

    Raises UsageError for a name that fits no case.
    """
    if not names:
        return matrix.cases
    chosen: dict[str, Case] = {}
    for name in names:
        fitting = [case for case in matrix.cases if case.name == name or fnmatchcase(case.name, name)]
        if not fitting:
            known = [case.name for case in matrix.cases]
            shown = ", ".join(known[:40]) + (f" and {len(known) - 40} more" if len(known) > 40 else "")
            near = did_you_mean(name, known)
            raise UsageError(f"matrix {matrix.name} has no case {quoted(name)}{near}", hint=f"Its cases: {shown}.")
        chosen |= {case.name: case for case in fitting}
    return tuple(chosen.values())


def twin(case: Case, cases: Iterable[Case]) -> Case | None:
    """The bf16 case that computes the same as this quantized one; None where there is none, or `case` is bf16."""
    if case.quantization is Quantization.BF16:
        return None
    wanted = case.model_dump(exclude=_NOT_COMPARED)
    for other in cases:
        if other.quantization is Quantization.BF16 and other.model_dump(exclude=_NOT_COMPARED) == wanted:
            return other
    return None


def reproduce_command(matrix: Matrix, case: Case, weights: str, *options: str) -> str:
    """The shell command that runs this case alone."""
    return shlex.join(["ltxbench", "bench", argument(matrix), "--case", case.name, "--weights", weights, *options])


def argument(matrix: Matrix) -> str:
    """What to give `ltxbench bench` for this matrix: its name in matrices/, or its file."""
    source = Path(matrix.source)
    return source.stem if source.parent == FOLDER and source.suffix in SUFFIXES else matrix.source
