"""What a case's result depends on, as one hash: a resumed run trusts a result only if nothing of it has changed."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import ltxbench
from ltxbench.matrix.case import PRESENTATION, Case
from ltxbench.run.records import RunRecord

COMPUTED_BY = ("errors.py", "frozen.py", "regular.py", "matrix", "measure", "model", "run", "weights")
"""The parts of the package that a case's process runs; pages and statistics may change without touching a result."""
COMPUTED_WITH = ("mlx", "mlx-metal", "mlx-cpu", "mlx-cuda-13", "mlx-lm", "numpy", "tokenizers", "transformers", "av")
"""The packages that decide the pixels or the time."""


def identity(record: RunRecord, case: Case) -> str:
    """sha256 of the canonical JSON of the case as it is computed and of all that the run's cases share."""
    return _sha256({"case": computed(case), **shared(record)})


def shared(record: RunRecord) -> dict[str, Any]:
    """What decides the results of all cases of a run, by the name that a message gives it."""
    machine, matrix = record.machine, record.matrix
    return {
        "engine": record.engine,
        "code": record.code_sha256,
        "ltxbench": record.ltxbench_version,
        "weights": record.weights.digest or record.weights.kind,
        "conditioning": record.conditioning_sha256,
        "negative prompt": matrix.negative_prompt,
        "chip": machine.chip,
        "accelerator": machine.accelerator,
        "operating system": machine.os,
        "Python": machine.python,
        "packages": {name: machine.packages[name] for name in COMPUTED_WITH if name in machine.packages},
        "environment": machine.environment,
    }


def computed(case: Case) -> dict[str, Any]:
    """The name decides nothing that is computed, but a result is stored under it."""
    return case.model_dump(mode="json", exclude=set(PRESENTATION - {"name"}))


def changes(before: RunRecord, now: RunRecord) -> tuple[str, ...]:
    """What differs of that which all cases of a run share, a sentence each."""
    old, new = shared(before), shared(now)
    told = []
    for name in old:
        if old[name] == new[name] or name == "conditioning":  # told by what it is made from
            continue
        if name in ("packages", "environment"):
            told += _entries(name, old[name], new[name])
        else:
            told.append(f"{name}: was {_shown(old[name])}, is {_shown(new[name])}")
    for name in ("prompt", "enhance", "enhanced"):
        was, is_now = getattr(before.matrix, name), getattr(now.matrix, name)
        if was != is_now:
            told.append(f"{name}: was {_shown(was)}, is {_shown(is_now)}")
    return tuple(told)


def case_changes(before: RunRecord, now: RunRecord) -> dict[str, str]:
    """By name: how the cases of two matrices differ in what is computed, or in their place."""
    old = {case.name: (number, case) for number, case in enumerate(before.matrix.cases, start=1)}
    new = {case.name: (number, case) for number, case in enumerate(now.matrix.cases, start=1)}
    told = {name: "is no longer in the matrix" for name in old if name not in new}
    for name, (number, case) in new.items():
        if name not in old:
            told[name] = "is new"
            continue
        was, is_now = computed(old[name][1]), computed(case)
        if different := [field for field in is_now if was[field] != is_now[field]]:
            told[name] = "; ".join(
                f"{field}: was {_shown(was[field])}, is {_shown(is_now[field])}" for field in different
            )
        elif old[name][0] != number:
            told[name] = f"was case {old[name][0]}, is case {number}"
    return told


@cache
def code_sha256() -> str:
    """Of the names and contents of the source files named by COMPUTED_BY."""
    package = Path(ltxbench.__file__).parent
    files = [
        file
        for part in COMPUTED_BY
        for file in ((package / part).rglob("*.*") if (package / part).is_dir() else (package / part,))
        if file.suffix in (".py", ".yaml", ".json")
    ]
    contents = {file.relative_to(package).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return _sha256(contents)


def _entries(name: str, old: dict[str, str], new: dict[str, str]) -> list[str]:
    singular = {"packages": "package", "environment": "variable"}[name]
    return [
        f"{singular} {key}: was {_shown(old.get(key))}, is {_shown(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _shown(value: object) -> str:
    if value is None:
        return "absent"
    text = str(value)
    return text if len(text) <= 64 else f"{text[:60]}..."


def _sha256(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
