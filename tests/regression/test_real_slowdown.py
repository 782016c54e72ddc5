"""The gate on real runs: the pipeline on tiny weights, in processes of its own, and 10% added to one case's steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ltxbench.cli.check import check
from ltxbench.regression import folder
from ltxbench.regression.check import check as compare
from ltxbench.regression.rerun import Repeater
from ltxbench.regression.take import take_run
from ltxbench.regression.verdict import Answer, Verdict
from ltxbench.run.options import Options
from ltxbench.run.records import Schedule
from ltxbench.run.runner import Work, run_matrix
from ltxbench.run.store import RunFolder
from ltxbench.weights.resolve import digest, resolve
from tests.regression.slow_engine import VARIABLE, SlowEngine

ENGINE = f"{SlowEngine.__module__}:{SlowEngine.__name__}"
BEFORE = 6
ATTEMPTS = 3
"""Pushes with the slowdown: a machine that does other work at the moment leaves a suspicion open."""
MATRIX = """\
matrix: paced
prompt: A red kite turns over a hill
defaults: {frames: 1, size: 64x64}
gate: {generation: off, load: off, memory: 0.05, footprint: 0.5}
cases: [{name: fast}, {name: b, seed: 1}]
"""


def measure(root: Path, rounds: int) -> RunFolder:
    from ltxbench.matrix import load

    file = root / "paced.yaml"
    file.write_text(MATRIX)
    matrix = load(file)
    files = resolve("tiny", matrix.cases)
    work = Work(matrix, matrix.cases, files, root / "runs", ENGINE, digest(files, matrix.cases), ("ltxbench", "bench"))
    return run_matrix(work, Options(repeats=rounds, memory_check=False, doctor=False, lossless=False, warm_up=False))


def code_of_a_check(run: RunFolder) -> int:
    try:
        check(run.path, rerun=2, engine=ENGINE)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def one_round(run: RunFolder, number: int) -> RunFolder:
    """A round of a longer run as a run by itself."""
    schedule = Schedule(order=run.record.schedule.order[number - 1 : number])
    record = run.record.model_copy(
        update={
            "id": f"{run.record.id}-{number}",
            "created_utc": f"2026-01-0{number}T00:00:00Z",
            "schedule": schedule,
        }
    )
    rounds = tuple(each.model_copy(update={"round": 1}) for each in run.records if each.round == number)
    return replace(run, record=record, records=rounds)


def test_ten_percent_in_the_steps_of_one_case_turn_the_gate_red_and_without_them_it_is_green(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    earlier = measure(tmp_path, BEFORE + 1)
    for number in range(1, BEFORE + 1):
        folder.add(tmp_path / "baseline", take_run(one_round(earlier, number)))
    entries = [each.entry for each in folder.load(tmp_path / "baseline")]
    gate = earlier.record.matrix.gate
    again = Repeater(earlier, 1, tmp_path / "runs", ENGINE)

    green = compare(entries, take_run(one_round(earlier, BEFORE + 1)), gate, again=again)
    assert green.exit_code == 0, green.regressed

    monkeypatch.setenv(VARIABLE, "b=0.10")
    assert 8 in (code_of_a_check(measure(tmp_path, 1)) for _ in range(ATTEMPTS))
    verdict = Verdict.model_validate_json(Path("verdict.json").read_bytes())
    assert [(name, each.metric, each.answer) for name, each in verdict.regressed] == [
        ("b", "step_1_s", Answer.REGRESSED)
    ]
