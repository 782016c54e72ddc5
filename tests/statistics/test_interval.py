"""That the interval of the ratio covers, and agrees with the test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from ltxbench.statistics.interval import Ratio, next_sample, ratio_of_pairs, ratio_of_samples
from ltxbench.statistics.null import attained_level, rank_sum_tail, signed_rank_tail, smallest_p, smallest_p_paired

TRUE = 1.05


@pytest.mark.parametrize("n", [4, 5, 7, 10])
def test_the_interval_covers_the_true_ratio_as_often_as_it_says(n: int) -> None:
    generator = np.random.default_rng(n)
    old, new = generator.lognormal(0, 0.03, (2, 800, n))
    found = [ratio_of_samples(a, TRUE * b, 0.05) for a, b in zip(old, new, strict=True)]
    assert _covered(found) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 800)


@pytest.mark.parametrize("n", [6, 8, 10])
def test_the_paired_interval_covers_too_and_is_blind_to_what_a_round_shares(n: int) -> None:
    generator = np.random.default_rng(n)
    old, new = generator.lognormal(0, 0.02, (2, 800, n))
    shared = generator.lognormal(0, 0.5, (800, n))
    found = [ratio_of_pairs(a * s, TRUE * b * s, 0.05) for a, b, s in zip(old, new, shared, strict=True)]
    assert _covered(found) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 800)
    assert max(each.high - each.low for each in found if each.high and each.low) < 0.3


def _covered(found: list[Ratio]) -> float:
    return float(np.mean([each.low <= TRUE <= each.high for each in found if each.low and each.high]))


@pytest.mark.parametrize("n", [4, 5, 6])
def test_interval_and_exact_test_never_contradict_each_other(n: int) -> None:
    generator = np.random.default_rng(n)
    for _ in range(150):
        old, new = generator.lognormal(0, 0.03, n), generator.lognormal(0.05, 0.03, n)
        found = ratio_of_samples(old, new, 0.05)
        assert found.low is not None
        assert found.high is not None
        assert (not found.low <= 1 <= found.high) == (mannwhitneyu(old, new, method="exact").pvalue <= 0.05)


def test_the_paired_interval_never_contradicts_the_signed_rank_test() -> None:
    generator = np.random.default_rng(8)
    for _ in range(150):
        old, new = generator.lognormal(0, 0.03, 7), generator.lognormal(0.03, 0.03, 7)
        found = ratio_of_pairs(old, new, 0.05)
        assert found.low is not None
        assert found.high is not None
        p = wilcoxon(np.log(new / old), method="exact").pvalue
        assert (not found.low <= 1 <= found.high) == (p <= 0.05)


def test_three_samples_have_a_ratio_but_no_interval() -> None:
    found = ratio_of_samples(np.array([1.0, 1.1, 1.2]), np.array([2.0, 2.2, 2.4]), 0.05)
    assert found.estimate == pytest.approx(2.0)
    assert (found.low, found.high) == (None, None)


def test_the_smallest_p_is_that_of_the_tables() -> None:
    assert [round(smallest_p(n, n), 4) for n in (3, 4, 5, 6)] == [0.1, 0.0286, 0.0079, 0.0022]
    assert [smallest_p_paired(n) for n in (4, 5, 6)] == [0.125, 0.0625, 0.03125]
    assert smallest_p(0, 5) == 1


def test_the_cuts_are_those_of_the_tables() -> None:
    assert [rank_sum_tail(n, n, 0.05) for n in (3, 4, 5, 6, 8, 10)] == [0, 1, 3, 6, 14, 24]
    assert [signed_rank_tail(n, 0.05) for n in (5, 6, 7, 8, 10)] == [0, 1, 3, 4, 9]
    assert attained_level(4, 0.05, paired=False) == pytest.approx(2 / 70)
    assert attained_level(3, 0.05, paired=False) == 0


def test_large_samples_continue_where_the_exact_cuts_end() -> None:
    assert rank_sum_tail(50, 50, 0.05) < rank_sum_tail(51, 51, 0.05) < rank_sum_tail(50, 50, 0.05) + 60
    assert signed_rank_tail(50, 0.05) < signed_rank_tail(51, 0.05) < signed_rank_tail(50, 0.05) + 40


@pytest.mark.parametrize("count", [3, 5, 10])
def test_the_next_sample_lies_outside_as_often_as_stated(count: int) -> None:
    draws = np.exp(0.1 * np.random.default_rng(count).standard_normal((4_000, count + 1)))
    outside = 0
    for row in draws:
        low, high = next_sample(row[:-1], 0.05)
        outside += not low <= row[-1] <= high
    assert 0.038 < outside / len(draws) < 0.062


def test_one_sample_says_nothing_about_the_next() -> None:
    assert next_sample(np.array([3.0]), 0.05) == (0.0, float("inf"))
    assert next_sample(np.array([3.0, 3.0]), 0.05) == pytest.approx((3.0, 3.0))
