"""What an audit found, kept beside the run that it is about: `audit.json` in the run's folder."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from ltxbench.errors import ResultError
from ltxbench.frozen import Frozen
from ltxbench.regular import read_regular
from ltxbench.run.store import write_record

AUDIT_FILE = "audit.json"
SCHEMA_VERSION = 1
LIMIT_BYTES = 16 << 20


class Check(StrEnum):
    SAME_SEED = "same seed twice"
    OTHER_SEED = "another seed"
    NOTHING_KEPT = "nothing kept"
    """A repeated case is not faster than a fresh one."""
    UNTOUCHED = "same frames without instruments"


class Answer(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNTESTED = "could not be tested"


class Finding(Frozen):
    check: Check
    answer: Answer
    sentence: str
    """What was compared and what came out, with its figures."""
    threshold: float | None = None
    """Of times: the share by which a repetition may be faster than the fastest fresh one."""
    noise: float | None = None
    """How much the median fresh time lies above the fastest, as a share of that."""


class CaseAudit(Frozen):
    case: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.answer is Answer.FAILED)


class Audit(Frozen):
    schema_version: int = SCHEMA_VERSION
    run: str
    """The run's id."""
    created_utc: str
    ltxbench_version: str
    differences: tuple[str, ...] = ()
    """What keeps the run's own hashes from being compared with: clauses, such as `weights: was ..., is ...`."""
    cases: tuple[CaseAudit, ...]

    @property
    def failed(self) -> tuple[CaseAudit, ...]:
        return tuple(case for case in self.cases if case.failed)


def write_audit(run: Path, audit: Audit) -> Path:
    """Replaces an earlier one. Raises ResourceError when it cannot be written."""
    write_record(run / AUDIT_FILE, audit)
    return run / AUDIT_FILE


def read_audit(run: Path) -> Audit | None:
    """None where a run was never audited. Raises ResultError for a file that is torn, a link, or of a newer schema."""
    path = run / AUDIT_FILE
    if path.is_symlink():
        raise ResultError(f"{path}: is a link; a run holds only files of its own")
    if not path.exists():
        return None
    try:
        stored = json.loads(read_regular(path, LIMIT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: cannot be read ({error})") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ResultError(
            f"{path}: written with schema {version}, this version reads up to {SCHEMA_VERSION}", hint="Update ltxbench."
        )
    try:
        return Audit.model_validate(stored)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ResultError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
