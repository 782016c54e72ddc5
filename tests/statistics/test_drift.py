from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, theilslopes

from ltxbench.statistics.drift import Steadiness, drift, drift_together, smallest_drift_p, stage_series
from ltxbench.statistics.null import serial_p

THROTTLED = (8.3, 8.4, 8.7, 8.9, 11.6, 12.5, 11.5, 10.2)
SAME_WORK = (9.7, 8.4, 8.4, 8.3, 8.4, 8.2, 8.1, 8.1)
# fmt: off
BUMP = (
    25.3, 22.5, 21.3, 20.5, 19.1, 18.4, 17.6, 17.7, 17.4, 16.8, 16.7, 16.8, 16.9, 16.9, 17.3, 17.3, 17.6, 18.0, 18.6,
    18.9, 19.5, 20.2, 20.6, 20.8, 20.4, 20.1, 19.3, 19.1, 19.0, 18.3, 18.2, 18.2, 17.7, 17.6, 17.6, 17.6, 17.4, 17.3,
    17.5, 17.4,
)
# fmt: on


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_machine_that_throttles_drifts_with_or_without_its_first_step(skipped: int) -> None:
    found = drift(THROTTLED[skipped:])
    assert found is not None
    assert found.steadiness is Steadiness.DRIFTING
    assert found.change > 0.15
    assert found.wander > 0.25


def test_the_same_work_on_a_cool_machine_does_not_drift_once_its_first_step_is_left_out() -> None:
    found = drift(SAME_WORK[1:])
    assert found is not None
    assert found.steadiness is Steadiness.STEADY
    assert found.change == pytest.approx(-0.036, abs=0.001)


def test_a_wave_without_a_trend_is_unsteady_with_its_size() -> None:
    found = drift(BUMP[5:])
    assert found is not None
    assert found.steadiness is Steadiness.UNSTEADY
    assert found.wander == pytest.approx((20.6 - 16.8) / np.median(BUMP[5:]), abs=0.02)


def test_a_trend_that_is_a_small_part_of_the_wander_is_no_drift() -> None:
    whole = drift(BUMP[1:])
    assert whole is not None
    assert whole.change < -0.05
    assert whole.p is not None
    assert whole.p < 0.05
    assert whole.wander > 2 * abs(whole.change)
    assert whole.steadiness is Steadiness.UNSTEADY


def test_a_shift_of_level_is_marked_whatever_its_slope() -> None:
    up_and_back = [8.0] * 4 + [8.9] * 8 + [8.0] * 4
    found = drift([value + 0.001 * index for index, value in enumerate(up_and_back)])
    assert found is not None
    assert abs(found.change) < 0.05
    assert found.steadiness is Steadiness.UNSTEADY


def test_a_wander_of_twenty_percent_needs_no_test() -> None:
    found = drift([8.4, 8.5, 12.0, 12.1])
    assert found is not None
    assert found.steadiness is Steadiness.UNSTEADY
    assert smallest_drift_p(4) > 0.05


def test_a_single_slow_step_is_no_wander() -> None:
    found = drift([8.3, 8.4, 8.3, 16.0, 8.2, 8.3, 8.4, 8.3])
    assert found is not None
    assert found.wander < 0.02
    assert not found.marked


def test_a_trend_of_less_than_five_percent_is_no_concern_however_certain() -> None:
    found = drift([100 + 0.1 * index for index in range(40)])
    assert found is not None
    assert found.steadiness is Steadiness.STEADY
    assert found.p is None


def test_what_is_too_short_to_test_is_not_called_steady() -> None:
    assert drift([]) is None
    assert drift([8.0]) is None
    assert drift([8.0, 9.0]) is None
    found = drift([8.0, 8.1, 8.2, 8.3])
    assert found is not None
    assert found.steadiness is Steadiness.UNTESTED


def test_the_slope_and_its_interval_are_scipys() -> None:
    found = drift(THROTTLED)
    expected = theilslopes(THROTTLED)
    length = 7 / np.median(THROTTLED)
    assert found is not None
    assert found.change == pytest.approx(expected.slope * length)
    assert (found.low, found.high) == pytest.approx((expected.low_slope * length, expected.high_slope * length))


def test_constant_and_tied_series_are_steady() -> None:
    for series in ([2.4] * 7, [2.5, 2.4, 2.4, 2.4, 2.4, 2.4, 2.4], [0.0, 1.0, 1.0, 1.0, 1.0]):
        found = drift(series)
        assert found is not None
        assert not found.marked


def test_a_series_at_zero_has_no_relative_drift() -> None:
    assert drift([0.0, 0.0, 0.0, 0.1]) is None


@pytest.mark.parametrize("bad", [[1.0, float("nan"), 2.0], [-1.0, -2.0, -3.0]])
def test_what_is_no_time_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError):
        drift(bad)


@pytest.mark.parametrize(("n", "spread"), [(7, 0.05), (39, 0.03)])
def test_white_noise_is_marked_at_the_stated_rate_at_most(n: int, spread: float) -> None:
    generator = np.random.default_rng(n)
    marked = sum(
        found.marked
        for row in generator.lognormal(0, spread, (600, n))
        if (found := drift(row, blatant=1e9)) is not None
    )
    assert marked <= 600 * 0.05 + 3 * np.sqrt(600 * 0.05 * 0.95)


def test_white_noise_of_two_percent_is_hardly_ever_marked() -> None:
    rows = np.random.default_rng(2).lognormal(0, 0.02, (600, 7))
    assert sum(found.marked for row in rows if (found := drift(row)) is not None) <= 9


def test_the_test_of_order_has_the_rate_it_says_and_knows_a_trend() -> None:
    generator = np.random.default_rng(5)
    values = np.array([serial_p(generator.permutation(np.arange(1.0, 8))) for _ in range(2000)])
    assert abs((values <= 0.05).mean() - 0.05) < 0.02
    assert serial_p(np.arange(1.0, 8)) == pytest.approx(2 / 5040)
    assert serial_p(np.asarray(rankdata(BUMP))) < 0.001


def test_each_stage_is_a_series_of_its_own_without_its_first_step() -> None:
    steps = [(1, 3.6), (1, 2.5), (1, 2.4), (2, 8.4), (2, 7.7), (2, 7.6)]
    assert stage_series(steps) == {1: (2.5, 2.4), 2: (7.7, 7.6)}


def test_rounds_that_each_wander_in_their_own_way_are_unsteady_together() -> None:
    up, down = (8.0, 8.01, 8.02, 8.03, 8.7, 8.71, 8.72), (8.7, 8.71, 8.72, 8.0, 8.01, 8.02, 8.03)
    assert all(not found.marked for each in (up, down) if (found := drift(each, alpha=0.0001)) is not None)
    found = drift_together([up, down, up, down], alpha=0.0001)
    assert found is not None
    assert found.steadiness is Steadiness.UNSTEADY
    one_way = drift_together([up] * 4, alpha=0.0001)
    assert one_way is not None
    assert one_way.steadiness is Steadiness.DRIFTING


def test_rounds_of_white_noise_are_marked_together_at_the_stated_rate_at_most() -> None:
    rows = np.random.default_rng(3).lognormal(0, 0.05, (200, 5, 7))
    marked = sum(found.marked for row in rows if (found := drift_together(row.tolist())) is not None)
    assert marked <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert drift_together([[1.0, 2.0, 3.0]]) is None
