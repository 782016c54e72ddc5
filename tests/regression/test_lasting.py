from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ltxbench.regression.check import check
from ltxbench.regression.entry import Entry
from ltxbench.regression.lasting import to_present
from ltxbench.regression.verdict import Answer
from ltxbench.statistics.values import Floats
from tests.regression.runs import case, entry, now, window


def noise(runs: int = 30, cases: int = 4, *, sd: float = 0.01, seed: int = 0) -> Floats:
    draw = np.random.Generator(np.random.Philox(key=seed))
    return draw.normal(0, sd, (runs, cases)) + draw.normal(0, sd, (runs, 1))


def test_runs_that_differ_by_noise_alone_stay_where_they_are() -> None:
    assert not any(to_present(noise(seed=seed)).any() for seed in range(200))


@pytest.mark.parametrize("cases", [[1], [0, 1, 2, 3]])
def test_what_was_slower_before_an_improvement_comes_down_to_it(cases: list[int]) -> None:
    values = noise()
    values[:22, cases] += 0.10
    moved = to_present(values)
    assert moved[:22, cases] == pytest.approx(-0.10, abs=0.02)
    assert not moved[22:].any()
    assert not np.delete(moved, cases, axis=1).any()


def test_a_decline_is_still_measured_from_where_it_began() -> None:
    values = noise(34, sd=0.005)
    values[12:, 2] += 0.05
    assert not to_present(values).any()
    values[12:22, 2] += 0.10
    moved = to_present(values)[:, 2]
    assert moved[12:22] == pytest.approx(-0.10, abs=0.02)
    assert not moved[:12].any(), "faster than now"


def test_a_machine_that_wanders_over_days_is_rarely_taken_for_improved() -> None:
    wrong = 0
    for seed in range(100):
        draw = np.random.Generator(np.random.Philox(key=seed))
        machine = np.zeros(34)
        for index in range(1, 34):
            machine[index] = 0.9 * machine[index - 1] + draw.normal(0, 0.02 * np.sqrt(1 - 0.81))
        wrong += bool(to_present(machine[:, None] + draw.normal(0, 0.007, (34, 8))).any())
    assert wrong <= 10


def faster(each: Entry, share: float) -> Entry:
    cases = [
        case(one.name, one.samples["generation_s"][0] * (share if one.name == "one" else 1.0)) for one in each.cases
    ]
    return entry(100 + int(each.id[-3:]), cases)


def test_an_improvement_that_is_lost_again_is_a_regression() -> None:
    """Half of the window is as slow as this run: before the improvement that was the level."""

    def again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        return entry(900, [case(name) for name in (*names, *controls)])

    earlier = window(20, sd=0.006)
    improved = [faster(each, 0.9) for each in window(8, sd=0.006, seed=1)]
    found = check([*earlier, *improved], now({"one": 100.0}), again=again)
    (told,) = [each for case_ in found.cases for each in case_.metrics if each.answer is Answer.REGRESSED]
    assert told.metric == "generation_s"
    assert told.old == pytest.approx(90.0, abs=1.0)
    kept = check([*earlier, *improved], now({"one": 90.0}), again=again)
    assert {each.answer for each in kept.cases} <= {Answer.SAME, Answer.INCONCLUSIVE}
