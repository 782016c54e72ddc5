"""Entries and runs made of figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ltxbench.regression.entry import CaseEntry, Entry, Kind, MachineEntry
from ltxbench.run.store import RunFolder
from ltxbench.trust.simulation.chain import make_run, through_store

MAC = MachineEntry(chip="Apple M3 Max", memory_bytes=96 << 30, os="macOS 26.1")
CONDITIONS: dict[str, str | None] = {"chip": "Apple M3 Max", "os": "macOS 26.1"}
NAMES = ("one", "two", "three", "four")


def case(name: str, generation_s: float = 100.0, **changes: object) -> CaseEntry:
    fields: dict[str, object] = {
        "name": name,
        "outcomes": ("ok", "ok", "ok"),
        "conditions": CONDITIONS,
        "settings": {"steps": "8"},
        "samples": {"generation_s": (generation_s,) * 3, "mlx_peak_bytes": (float(20 << 30),) * 3},
        "frames_sha256": ("a" * 64,),
        "artifact_score": 0.3,
    }
    return CaseEntry.model_validate(fields | changes)


def entry(number: int, cases: Sequence[CaseEntry], **changes: object) -> Entry:
    fields: dict[str, object] = {
        "kind": Kind.RUN,
        "id": f"run-{number:03d}",
        "created_utc": f"2026-01-{1 + number // 24:02d}T{number % 24:02d}:00:00Z",
        "matrix": "small",
        "machine": MAC,
        "engine": "mlx",
        "selected": tuple(each.name for each in cases),
        "cases": tuple(cases),
    }
    return Entry.model_validate(fields | changes)


def window(count: int = 12, *, sd: float = 0.01, seed: int = 0, names: Sequence[str] = NAMES) -> list[Entry]:
    """Runs that differ by noise alone: half of it shared by the cases of a run."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    shared = draw.normal(0, sd, count)
    own = draw.normal(0, sd, (count, len(names)))
    return [
        entry(
            number,
            [case(name, float(100 * np.exp(shared[number] + own[number, index]))) for index, name in enumerate(names)],
        )
        for number in range(count)
    ]


def now(times: dict[str, float] | None = None, number: int = 500, **changes: object) -> Entry:
    """The run that is checked: 100 s for each case that is not told."""
    return entry(number, [case(name, (times or {}).get(name, 100.0)) for name in NAMES], **changes)


def stored_run(
    root: Path, times: dict[str, float] | None = None, *, run_id: str = "20260101T000000Z-aaaa", rounds: int = 4
) -> RunFolder:
    """On disk: `times` are step times in seconds by case."""
    steps = times or {"one": 8.3, "two": 4.1}
    wobble = [1 + 0.001 * number for number in range(rounds)]
    run = make_run(
        {name: [[step * 1.1, *[step * factor] * 7] for factor in wobble] for name, step in steps.items()},
        run_id=run_id,
    )
    return through_store(run, root)
