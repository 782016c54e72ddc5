"""A short history of what tests/regression/simulate_history.py runs at length."""

from __future__ import annotations

import pytest

from tests.regression.machine import MACHINES, Noise
from tests.regression.simulate_history import broken, rows, simulate, totals


def test_a_short_history_keeps_its_promises() -> None:
    history = simulate(2, pushes=110)
    assert history.false_alarms == []
    planted = [row for row in rows([history]) if not str(row["change"]).startswith("3% slower")]
    assert planted
    assert all(row["within 5"] == row["planted"] for row in planted)


def test_a_machine_whose_rounds_are_often_too_slow_is_judged_as_surely() -> None:
    history = simulate(3, pushes=110, noise=MACHINES["hot"])
    found = totals([history])
    assert found["false alarms"] == 0
    assert found["10% at once"].split("/")[0] == found["10% at once"].split("/")[1]


def test_a_promise_that_does_not_hold_is_told() -> None:
    history = simulate(2, pushes=30)
    history.found_after["10% slower, one case"] = [2, None]
    history.false_alarms += ["one", "another"]
    said = broken([history])
    assert any("2 false alarms" in each for each in said)
    assert any(each.startswith("10% slower, one case: 0 of 2 at once") for each in said)


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_the_noise_is_what_it_says(spread: float) -> None:
    """Without any, two pushes of one code differ by nothing that counts."""
    import numpy as np

    from tests.regression.machine import Code, Shelf

    quiet = dict.fromkeys(
        ("day", "run", "family", "shared_round", "own_round", "ramps", "interrupted", "disturbed"), 0.0
    )
    shelf = Shelf(np.random.Generator(np.random.Philox(key=0)), Noise(**quiet, case=spread))
    values = np.log([shelf.push(number, Code()).by_name["dev"].levels["generation_s"] for number in range(300)])
    assert values.std() == pytest.approx(spread, rel=0.25, abs=1e-9)
