from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from ltxbench.statistics.compare import Answer, Reason, compare, compare_all

BASE = (8.30, 8.35, 8.28, 8.41, 8.33, 8.37)


def scaled(factor: float) -> list[float]:
    """Other noise of the same kind."""
    return [factor * value for value in (8.32, 8.29, 8.39, 8.34, 8.36, 8.31)]


def test_a_slower_and_a_faster_sample_are_told() -> None:
    slower, faster = compare(BASE, scaled(1.06)), compare(BASE, scaled(0.94))
    assert (slower.answer, faster.answer) == (Answer.SLOWER, Answer.FASTER)
    assert slower.ratio == pytest.approx(1.06, abs=0.01)
    assert slower.rounds_needed is None
    assert slower.reason is None


@pytest.mark.parametrize("factor", [1.015, 1 / 1.015])
def test_a_significant_difference_below_the_threshold_is_the_same(factor: float) -> None:
    found = compare(BASE, scaled(factor))
    assert found.p is not None
    assert found.p < 0.05
    assert found.answer is Answer.SAME


def test_a_large_difference_in_large_noise_is_inconclusive_and_says_how_many_rounds_are_missing() -> None:
    found = compare([8.0, 9.5, 7.5, 10.0, 8.8], [9.0, 10.5, 8.2, 11.0, 8.5])
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, Reason.NOISE)
    assert found.rounds_needed is not None
    assert found.rounds_needed > 0


def test_a_difference_at_the_threshold_is_left_open() -> None:
    found = compare(BASE, scaled(1.029))
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, Reason.ON_THRESHOLD)


@pytest.mark.parametrize(("n", "missing"), [(1, 3), (2, 2), (3, 1)])
def test_three_rounds_can_say_nothing_however_large_the_difference(n: int, missing: int) -> None:
    found = compare(BASE[:n], scaled(2.0)[:n])
    assert (found.answer, found.reason) == (Answer.INCONCLUSIVE, Reason.TOO_FEW)
    assert found.rounds_needed == missing
    assert (found.p, found.low, found.high) == (None, None, None)
    assert found.ratio == pytest.approx(2.0, abs=0.02)


def test_no_samples_are_not_compared() -> None:
    for old, new in ([], []), ([], [1.0]), ([1.0], []):
        found = compare(old, new)
        assert (found.answer, found.reason, found.ratio, found.rounds_needed) == (
            "inconclusive",
            Reason.TOO_FEW,
            None,
            4,
        )


def test_identical_samples_are_the_same() -> None:
    assert compare([5.0] * 5, [5.0] * 5).answer is Answer.SAME
    assert compare([5.0] * 6, [5.0] * 6, paired=True).answer is Answer.SAME
    assert compare([5.0] * 4, [6.0] * 4).answer is Answer.SLOWER


def test_ties_from_a_coarse_clock_are_tested_exactly() -> None:
    old, new = [8.3, 8.4, 8.3, 8.3], [8.9, 8.9, 8.8, 8.9]
    found = compare(old, new)
    assert found.p == pytest.approx(2 / 70)
    assert found.answer is Answer.SLOWER
    assert found.p != pytest.approx(mannwhitneyu(old, new, method="asymptotic").pvalue, rel=0.01)


def test_sides_are_not_called_the_same_by_a_clock_too_coarse_to_tell() -> None:
    coarse = compare([10.0, 10.0, 11.0, 10.0, 10.0, 10.0, 10.0], [10.0] * 7)
    assert (coarse.answer, coarse.reason, coarse.rounds_needed) == (Answer.INCONCLUSIVE, Reason.RESOLUTION, None)
    assert coarse.resolution == pytest.approx(0.1)
    assert coarse.low == pytest.approx(1 / 1.1)
    fine = compare([10.0, 10.0, 10.1, 10.0, 10.0, 10.0, 10.0], [10.0] * 7)
    assert (fine.answer, fine.resolution) == (Answer.SAME, pytest.approx(0.01))


def test_no_clock_step_is_made_of_samples_that_all_differ_or_are_all_equal() -> None:
    assert compare([10.0, 11.0, 12.0, 13.0], [14.0, 15.0, 16.0, 17.0]).resolution == 0
    assert compare([10.0] * 5, [10.0] * 5).resolution == 0
    dust = [3 * 0.1, 0.1 + 0.2, 0.3]
    assert compare([*dust, 0.4, 0.5], [*dust, 0.4, 0.5]).resolution == pytest.approx(0.1 / 0.3)


def test_a_time_of_zero_has_no_ratio() -> None:
    found = compare([0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    assert (found.answer, found.reason, found.ratio) == (Answer.INCONCLUSIVE, Reason.RESOLUTION, None)


def test_an_enormous_spread_is_inconclusive() -> None:
    found = compare([1e-9, 1e9, 1.0, 5.0], [3.0, 1e6, 1e-6, 2.0])
    assert (found.answer, found.rounds_needed) == (Answer.INCONCLUSIVE, None)


@pytest.mark.parametrize("bad", [[float("nan")] * 4, [float("inf")] * 4, [-1.0, 1.0, 1.0, 1.0]])
def test_what_is_no_time_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError):
        compare(bad, [1.0] * 4)
    with pytest.raises(ValueError):
        compare([1.0] * 4, bad)


@pytest.mark.parametrize("limits", [{"alpha": 0.0}, {"threshold": 0.0}, {"family": 0}])
def test_limits_that_are_none_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        compare([1.0] * 4, [1.0] * 4, **limits)


def test_pairs_need_two_of_each() -> None:
    with pytest.raises(ValueError, match="pairs"):
        compare([1.0] * 6, [1.0] * 7, paired=True)


def test_rounds_that_share_the_machines_state_are_compared_as_pairs() -> None:
    rounds = np.array([1.0, 1.1, 1.3, 1.2, 1.4, 1.05, 1.25])
    old, new = rounds * 8.3, rounds * 8.3 * 1.05 * np.array([1.001, 0.999, 1.002, 0.998, 1.0, 1.003, 0.997])
    assert compare(old.tolist(), new.tolist()).answer is Answer.INCONCLUSIVE
    found = compare(old.tolist(), new.tolist(), paired=True)
    assert found.answer is Answer.SLOWER
    assert found.paired


def test_pairs_too_few_for_their_own_test_take_the_other_one() -> None:
    found = compare(BASE[:5], scaled(1.10)[:5], paired=True)
    assert not found.paired
    assert found.answer is Answer.SLOWER


@pytest.mark.parametrize("paired", [False, True])
def test_the_p_value_is_scipys(paired: bool) -> None:
    generator = np.random.default_rng(4)
    old, new = generator.lognormal(0, 0.1, (2, 9))
    expected = wilcoxon(np.log(new / old)).pvalue if paired else mannwhitneyu(old, new, method="exact").pvalue
    assert compare(old.tolist(), new.tolist(), paired=paired).p == pytest.approx(expected)


def test_pairs_with_ties_and_zeros_are_tested_exactly() -> None:
    old = [1.0] * 7
    found = compare(old, [1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1], paired=True)
    assert found.p is not None
    assert 0.01 < found.p < 0.05
    assert found.answer is Answer.SLOWER


def test_many_comparisons_share_the_error_rate() -> None:
    slower = (BASE, tuple(scaled(1.06)))
    alone = compare_all([slower])[0]
    assert alone.answer is Answer.SLOWER
    same = (BASE, tuple(scaled(1.0)))
    among_many = compare_all([slower, *[same] * 29])[0]
    assert among_many.p == alone.p
    assert among_many.p_adjusted == pytest.approx(30 * 2 / 924)
    assert among_many.answer is Answer.INCONCLUSIVE
    assert among_many.rounds_needed is not None


def test_a_family_of_one_by_one_is_judged_at_its_share() -> None:
    assert compare(BASE, scaled(1.06), family=30).answer is Answer.INCONCLUSIVE


def test_a_comparison_that_cannot_be_tested_takes_nothing_from_the_others() -> None:
    untested = ((1.0,), (2.0,))
    first, second = compare_all([(BASE[:5], tuple(scaled(1.06)[:5])), untested])
    assert first.p_adjusted == first.p
    assert second.p_adjusted is None
    assert second.answer is Answer.INCONCLUSIVE


def test_false_answers_stay_below_the_stated_rate() -> None:
    generator = np.random.default_rng(1)
    for n, spread in ((4, 0.05), (6, 0.2)):
        old, new = generator.lognormal(0, spread, (2, 300, n))
        answers = [compare(a.tolist(), b.tolist()).answer for a, b in zip(old, new, strict=True)]
        wrong = sum(answer in (Answer.FASTER, Answer.SLOWER) for answer in answers)
        assert wrong <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)
