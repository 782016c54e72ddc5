"""Step times made into the records that the scripted engine's run of them would leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ltxbench.matrix.case import Case, Matrix
from ltxbench.run import store
from ltxbench.run.records import (
    CaseRecord,
    Machine,
    Outcome,
    Phase,
    PhaseRecord,
    RunRecord,
    Schedule,
    StepRecord,
    Times,
    Weights,
)
from ltxbench.run.store import RunFolder

STARTED = "2026-01-01T00:00:00Z"
ENCODE_S, DECODE_S = 0.3, 0.4
Steps = Sequence[Sequence[float]]
"""[rounds][steps] in seconds."""


def make_run(cases: dict[str, Steps], *, run_id: str = "simulated", path: Path = Path("simulated")) -> RunFolder:
    """A run of single-stage cases with these step times, as store.load would give it back."""
    steps = {name: len(rounds[0]) for name, rounds in cases.items()}
    matrix = Matrix(
        name="simulated",
        title="Simulated",
        prompt="none",
        cases=tuple(Case(name=name, title=name, steps=count) for name, count in steps.items()),
        source="simulated.yaml",
        source_sha256="0" * 64,
    )
    repeats = max(len(rounds) for rounds in cases.values())
    record = RunRecord(
        id=run_id,
        ltxbench_version="0",
        created_utc=STARTED,
        matrix=matrix,
        machine=Machine(
            chip="scripted",
            memory_bytes=1 << 35,
            os="scripted",
            arch="none",
            cpu_cores=1,
            python="3",
            packages={"mlx": "scripted"},
        ),
        weights=Weights(kind="scripted", synthetic=True),
        command=("ltxbench", "simulate"),
        conditioning="none",
        conditioning_sha256="0" * 64,
        schedule=Schedule(repeats=repeats, order=(tuple(cases),) * repeats),
        selected=tuple(cases),
    )
    records = [
        case_record(case, number, index, times)
        for number, case in enumerate(matrix.cases, start=1)
        for index, times in enumerate(cases[case.name], start=1)
    ]
    return RunFolder(path, record, store.in_order(records))


def case_record(case: Case, number: int, round_number: int, step_s: Iterable[float]) -> CaseRecord:
    # Made without validation, of which ten thousand pairs need a minute; what the store writes, it validates again.
    clock, steps = ENCODE_S, []
    for index, each in enumerate(step_s):
        duration = float(each)
        steps.append(
            StepRecord.model_construct(
                stage=1, index=index, sigma=1.0, forwards=1, start_s=clock, step_s=duration, energy_j=None
            )
        )
        clock += duration
    spent = {Phase.ENCODE: ENCODE_S, Phase.DENOISE_1: clock - ENCODE_S, Phase.DECODE: DECODE_S}
    start, phases = 0.0, []
    for phase, duration in spent.items():
        phases.append(PhaseRecord.model_construct(phase=phase, start_s=start, duration_s=duration))
        start += duration
    return CaseRecord.model_construct(
        case=case,
        number=number,
        round=round_number,
        outcome=Outcome.OK,
        started_utc=STARTED,
        times=Times.model_construct(generation_s=start, load_s=None, export_s=None, wall_s=start),
        phases=tuple(phases),
        steps=tuple(steps),
    )


def through_store(run: RunFolder, root: Path) -> RunFolder:
    """Written to disk under `root`, validated, and read back."""
    written = store.create(root, run.record)
    for record in run.records:
        written = store.write_case(written, record)
    return store.load(written.path)
