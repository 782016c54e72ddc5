from __future__ import annotations

import numpy as np
import pytest

from ltxbench.regression.history import as_row, history
from ltxbench.regression.steps import steps
from tests.regression.runs import CONDITIONS, case, entry


def noise(count: int, seed: int, sd: float = 0.02) -> np.ndarray:
    return np.exp(sd * np.random.Generator(np.random.Philox(key=seed)).standard_normal(count))


def test_a_step_is_found_at_its_place() -> None:
    values = noise(60, 1)
    values[37:] *= 1.1
    (found,) = steps(values)
    assert abs(found.index - 37) <= 1
    assert found.ratio == pytest.approx(1.1, abs=0.02)


def test_a_step_near_the_end_is_dated_by_its_own_run() -> None:
    for seed in range(20):
        values = noise(50, seed, 0.008)
        values[40:] *= 0.9
        assert [each.index for each in steps(values)] == [40]


def test_several_steps_are_found_and_told_in_order() -> None:
    values = noise(90, 2)
    values[30:] *= 1.15
    values[60:] *= 0.8
    assert [abs(each.index - at) <= 1 for each, at in zip(steps(values), (30, 60), strict=True)] == [True, True]


def test_a_level_that_came_back_is_two_steps() -> None:
    values = noise(60, 6)
    values[35:45] *= 1.1
    assert [abs(each.index - at) <= 1 for each, at in zip(steps(values), (35, 45), strict=True)] == [True, True]


def test_a_single_odd_run_is_no_step() -> None:
    values = noise(40, 3, 0.01)
    values[20] *= 2
    assert steps(values) == ()


def test_series_without_a_step_have_one_as_rarely_as_stated() -> None:
    found = sum(bool(steps(noise(40, 100 + seed), practical=1e-9)) for seed in range(600))
    assert found <= 15  # 6 expected, 99.9% of the time


def test_a_step_that_does_not_matter_is_not_told() -> None:
    values = noise(60, 4, 0.002)
    values[30:] *= 1.015
    assert steps(values) == ()
    assert len(steps(values, practical=0.01)) == 1


def test_short_series_and_wrong_values() -> None:
    assert steps([]) == steps([1.0] * 7) == ()
    for wrong in ([1.0, 0.0], [float("nan")] * 9):
        with pytest.raises(ValueError):
            steps(wrong)


def test_the_history_dates_a_step_with_its_run_and_commit() -> None:
    values = noise(30, 5, 0.01)
    values[20:] *= 1.2
    entries = [
        entry(number, [case("one", float(value))], commit=f"{number:040x}") for number, value in enumerate(values)
    ]
    (found,) = history(entries, metrics=["generation_s"])
    (step,) = as_row(found)["steps"]
    assert step["run"] == "run-020"
    assert (step["commit"], step["after_commit"]) == (f"{20:040x}", f"{19:040x}")


def test_another_system_begins_a_series_and_is_no_step() -> None:
    entries = [entry(number, [case("one", 100.0)]) for number in range(6)]
    newer = {**CONDITIONS, "os": "macOS 27"}
    entries += [entry(number, [case("one", 150.0, conditions=newer)]) for number in range(6, 12)]
    first, second = history(entries, metrics=["generation_s"])
    assert (len(first.points), len(second.points)) == (6, 6)
    assert second.began == ("os: macOS 26.1, then macOS 27",)
    assert first.steps == second.steps == ()
