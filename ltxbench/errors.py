"""What can go wrong, and the exit code that says so.

LtxbenchError                  1  a failure that has no code of its own
├── UsageError                 2  unknown option, matrix, case or component name
├── MatrixError                3  the matrix file is wrong: file, line, column, allowed values
├── WeightsError               4  a weights file is missing, torn or not what it should be
├── ResourceError              5  too little disk or memory, or a folder that cannot be written
├── CasesFailed                6  at least one case did not finish
├── InvalidMeasurement         7  the cases finished, but the figures cannot be trusted
├── Regression                 8  a comparison found a change for the worse
├── Busy                       9  another benchmark holds this machine
├── ResultError               10  a stored result is missing, torn or of a newer schema
└── Stale                     11  a page, or a part of a document that is generated, is not what its source gives

130 is an interrupted run (128 + SIGINT), as shells report it.

A message says what happened, why, and what to do. The command line prints it without a traceback.
"""

from __future__ import annotations

from pathlib import Path

INTERRUPTED = 130


class LtxbenchError(Exception):
    """Base of every error that is meant for the user.

    `hint` is what to do about it: one line, printed after the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LtxbenchError):
    exit_code = 2


class MatrixError(LtxbenchError):
    """A mistake in a matrix file; `line` and `column` count from 1."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        where = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.path, self.line, self.column = path, line, column


class WeightsError(LtxbenchError):
    exit_code = 4


class ResourceError(LtxbenchError):
    exit_code = 5


class CasesFailed(LtxbenchError):
    exit_code = 6


class InvalidMeasurement(LtxbenchError):
    exit_code = 7


class Regression(LtxbenchError):
    exit_code = 8


class Busy(LtxbenchError):
    exit_code = 9


class ResultError(LtxbenchError):
    exit_code = 10


class Stale(LtxbenchError):
    exit_code = 11
