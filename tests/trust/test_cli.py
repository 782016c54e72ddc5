from __future__ import annotations

import json
from pathlib import Path

import pytest

from ltxbench.cli.compare import compare
from ltxbench.cli.simulate import simulate
from ltxbench.errors import InvalidMeasurement, ResultError, UsageError
from ltxbench.run import store
from ltxbench.trust.simulation import scenarios
from ltxbench.trust.simulation.chain import make_run, through_store
from tests.trust.runs import rounds, with_machine


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    old = make_run({"one": rounds(6), "two": rounds(6, factor=1.2)}, run_id="old")
    new = make_run({"one": rounds(6, factor=1.1), "two": rounds(6, factor=1.2)}, run_id="new")
    return str(through_store(old, tmp_path).path), str(through_store(new, tmp_path).path)


def test_two_runs_are_compared_case_by_case(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    compare(*runs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "one"
    assert "slower" in lines[1]
    assert "10.0% slower" in next(line for line in lines if line.startswith("  step"))
    assert "same within 3%" in lines[lines.index("two") + 1]


def test_the_json_has_the_same_answers(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    compare(*runs, as_json=True)
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert [case["metrics"][0]["result"] for case in cases] == ["slower", "same"]
    assert cases[0]["metrics"][0]["statistics"]["p_adjusted"] < 0.05


def test_two_cases_of_a_run_and_one_case_of_two(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = runs
    compare(f"{old}:one", f"{old}:two")
    assert "one -> two" in capsys.readouterr().out
    compare(f"{old}:one", f"{new}:one")
    assert "two" not in capsys.readouterr().out


def test_what_is_not_comparable_says_by_which_field_and_how_to_allow_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make_run({"one": rounds(6)}, run_id="old")
    new = with_machine(make_run({"one": rounds(6, factor=1.1)}, run_id="new"), chip="other", packages={"mlx": "1"})
    paths = [str(through_store(run, tmp_path).path) for run in (old, new)]
    compare(*paths)
    said = capsys.readouterr().out
    assert "not comparable" in said
    assert "chip: scripted, then other; mlx: mlx scripted, then mlx 1" in said
    assert said.rstrip().endswith("--allow chip --allow mlx")
    compare(*paths, allow=["chip", "mlx"])
    assert "not comparable" not in capsys.readouterr().out


def test_a_wrong_name_is_refused_with_those_there_are(runs: tuple[str, str], tmp_path: Path) -> None:
    old, new = runs
    for first, second in ((f"{old}:three", f"{old}:one"), (f"{old}:one", new), (f"{old}:one", f"{new}:two")):
        with pytest.raises(UsageError):
            compare(first, second)
    with pytest.raises(UsageError, match="'colour'"):
        compare(old, new, allow=["colour"])
    with pytest.raises(ResultError):
        compare(str(tmp_path / "nothing"), new)


def test_a_page_stands_for_the_run_below_it(runs: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page"
    store.publish(Path(runs[0]), page / "run")
    compare(str(page), runs[0])


def test_the_simulation_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    simulate(only=["aa-stored"], scale=0.05, seed=1)
    assert "two runs through the store, nothing changed | 2 " in capsys.readouterr().out
    simulate(only=["aa-stored"], scale=0.05, seed=1, as_json=True)
    assert json.loads(capsys.readouterr().out)["scenarios"][0]["pairs"] == 2


def test_a_broken_rate_ends_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = scenarios.Scenario("x", "never found", 2, 4, shift=0.001, at_least=1.0)
    monkeypatch.setattr(scenarios, "SCENARIOS", (impossible,))
    with pytest.raises(InvalidMeasurement, match="never found"):
        simulate(only=None, scale=1.0, seed=0)


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(UsageError, match="no scenario 'y'"):
        simulate(only=["y"])
