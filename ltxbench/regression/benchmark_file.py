"""pytest-benchmark's JSON as an entry: microbenchmarks have the same baselines and the same gate.

Format: what `pytest --benchmark-json=FILE` writes (pytest-benchmark 3 to 5). Only `benchmarks[].fullname` (or `name`)
and `benchmarks[].stats` are needed; names are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ltxbench.errors import ResultError
from ltxbench.regression.entry import CaseEntry, Entry, Kind, MachineEntry

LIMIT_BYTES = 256 << 20
MOST_SAMPLES = 200
"""Kept of a benchmark's rounds, which may be millions: evenly spaced quantiles, which have the same median."""
MATRIX = "pytest-benchmark"
TIME = "time_s"
UNVERSIONED = "unversioned"
"""The commit of a folder outside a repository."""


def is_benchmark_file(path: Path) -> bool:
    return path.is_file()


def take_file(path: Path, *, name: str = MATRIX) -> Entry:
    """`name` tells several suites of one baseline apart. Raises ResultError for a file of another kind."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise ResultError(f"{path}: larger than {LIMIT_BYTES >> 20} MiB")
        data = path.read_bytes()
        stored = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: torn or not JSON ({error})") from None
    benchmarks = stored.get("benchmarks") if isinstance(stored, dict) else None
    if not isinstance(benchmarks, list) or not benchmarks:
        raise ResultError(
            f"{path}: holds no benchmarks", hint="`pytest --benchmark-json=FILE` writes such a file, if any ran."
        )
    machine, commit = _mapping(stored.get("machine_info")), _mapping(stored.get("commit_info"))
    conditions = _conditions(machine)
    sha256 = hashlib.sha256(data).hexdigest()
    created = str(stored.get("datetime") or "")[:40]
    cases = [_case(each, conditions, path) for each in benchmarks]
    names = [case.name for case in cases]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise ResultError(f"{path}: has two benchmarks of the name {twice[0]!r}")
    return Entry(
        kind=Kind.PYTEST_BENCHMARK,
        id=f"{''.join(character for character in created[:19] if character.isalnum()) or 'undated'}-{sha256[:8]}",
        created_utc=created,
        matrix=name,
        machine=MachineEntry(chip=conditions["chip"] or "unknown", memory_bytes=None, os=conditions["os"] or "unknown"),
        commit=identity if (identity := _text(commit.get("id"))) != UNVERSIONED else None,
        source_sha256=sha256,
        selected=tuple(names),
        cases=tuple(cases),
    )


def _conditions(machine: Mapping[str, Any]) -> dict[str, str | None]:
    cpu = _mapping(machine.get("cpu"))
    version = " ".join(str(machine[key]) for key in ("system", "release") if machine.get(key))
    python = " ".join(str(machine[key]) for key in ("python_implementation", "python_version") if machine.get(key))
    return {
        "chip": _text(cpu.get("brand_raw")) or _text(machine.get("processor")) or _text(machine.get("machine")),
        "cores": _text(cpu.get("count")),
        "os": version or None,
        "python": python or None,
        "node": _text(machine.get("node")) if not cpu.get("brand_raw") else None,
    }


def _case(benchmark: Any, conditions: dict[str, str | None], path: Path) -> CaseEntry:
    described = _mapping(benchmark)
    name = _text(described.get("fullname")) or _text(described.get("name"))
    stats = _mapping(described.get("stats"))
    if name is None:
        raise ResultError(f"{path}: a benchmark has no name")
    data = stats.get("data")
    values: Sequence[Any] = data if isinstance(data, list) and data else [stats.get("median")]
    if not all(isinstance(value, int | float) and isfinite(value) and value >= 0 for value in values):
        raise ResultError(f"{path}: benchmark {name!r} has no median, or samples that are no times")
    samples = tuple(float(value) for value in values)
    return CaseEntry(
        name=name,
        outcomes=("ok",),
        conditions=conditions,
        settings={"params": json.dumps(described.get("params"), sort_keys=True)[:4_000]},
        samples={TIME: _thinned(samples)},
    )


def _thinned(samples: tuple[float, ...]) -> tuple[float, ...]:
    if len(samples) <= MOST_SAMPLES:
        return samples
    ordered = sorted(samples)
    last = len(ordered) - 1
    return tuple(ordered[round(index * last / (MOST_SAMPLES - 1))] for index in range(MOST_SAMPLES))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)[:1_000]
