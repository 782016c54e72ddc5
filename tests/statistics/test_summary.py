from __future__ import annotations

import numpy as np
import pytest

from ltxbench.statistics.summary import least_samples, mark_outliers, summarize


def test_no_samples_have_no_summary() -> None:
    assert summarize([]) is None


def test_one_sample_has_a_median_but_no_spread_and_no_interval() -> None:
    summary = summarize([8.3])
    assert summary is not None
    assert (summary.n, summary.median, summary.minimum, summary.maximum) == (1, 8.3, 8.3, 8.3)
    assert summary.mad is None
    assert (summary.low, summary.high) == (None, None)
    assert summary.outliers == ()


def test_the_figures_of_a_summary_are_those_of_the_textbook() -> None:
    summary = summarize([1.0, 2.0, 3.0, 4.0, 10.0])
    assert summary is not None
    assert (summary.median, summary.mad, summary.minimum, summary.maximum) == (3.0, 1.0, 1.0, 10.0)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_fewer_than_six_samples_have_no_interval_of_95_percent(n: int) -> None:
    assert least_samples(0.95) == 6
    summary = summarize(list(range(1, n + 1)))
    assert summary is not None
    assert summary.low is None


def test_the_interval_holds_the_median_and_repeats_with_its_seed() -> None:
    samples = [8.3, 8.4, 8.2, 8.35, 8.28, 8.31, 8.5]
    first, again = summarize(samples, seed=3), summarize(samples, seed=3)
    assert first == again
    assert first is not None
    assert first.low is not None
    assert first.high is not None
    assert 8.2 <= first.low <= first.median <= first.high <= 8.5


@pytest.mark.parametrize("n", [6, 7, 12])
def test_the_interval_covers_the_true_median_as_often_as_it_says(n: int) -> None:
    generator = np.random.default_rng(1)
    samples = generator.lognormal(0, 0.02, (120, n))
    summaries = [summarize(row.tolist()) for row in samples]
    held = sum(1 for each in summaries if each and each.low and each.high and each.low <= 1 <= each.high)
    assert held >= 0.90 * 120  # 95% less three standard errors of 120 trials; taken at face value n = 7 holds 87%


def test_identical_samples_have_an_interval_of_no_width() -> None:
    summary = summarize([2.0] * 8)
    assert summary is not None
    assert (summary.low, summary.high, summary.mad, summary.outliers) == (2.0, 2.0, 0.0, ())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        summarize([1.0, bad])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        summarize([1.0], confidence=confidence)


def test_an_outlier_is_marked_and_kept() -> None:
    summary = summarize([8.3, 8.4, 8.2, 8.35, 8.28, 16.0])
    assert summary is not None
    assert summary.outliers == (5,)
    assert summary.maximum == 16.0
    assert summary.n == 6


def test_two_of_three_samples_that_happen_to_be_close_make_no_outlier_of_the_third() -> None:
    assert mark_outliers([8.1, 8.2, 9.0]) == ()
    assert mark_outliers([8.1, 8.2, 16.0]) == (2,)


def test_a_deviation_below_one_percent_is_never_marked() -> None:
    assert mark_outliers([10.0, 10.0, 10.0, 10.0, 10.05]) == ()
    assert mark_outliers([10.0, 10.0, 10.0, 10.0, 10.2]) == (4,)


@pytest.mark.parametrize("n", [3, 4, 7, 20, 60])
def test_normal_samples_of_any_size_are_marked_in_five_percent_at_most(n: int) -> None:
    samples = 10 + np.random.default_rng(n).standard_normal((1000, n))
    assert sum(bool(mark_outliers(row)) for row in samples) <= 1000 * 0.05 + 3 * np.sqrt(1000 * 0.05 * 0.95)


def test_an_enormous_spread_is_summarized() -> None:
    summary = summarize([1e-12, 1.0, 1e12, 2.0, 3.0, 2.5])
    assert summary is not None
    assert 2 in summary.outliers
