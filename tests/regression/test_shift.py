from __future__ import annotations

import numpy as np
import pytest

from ltxbench.regression.shift import LEAST_RUNS, shift


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape)


@pytest.mark.parametrize("n", [5, 12, 30])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_p_is_what_it_says_of_normal_noise(n: int, k: int) -> None:
    draws = 1_500
    values = 0.01 * normal(draws, n + k, 4, seed=n * 10 + k)
    p = np.concatenate([shift(each[:n], each[n:]).p for each in values])
    assert np.mean(p <= 0.05) <= 0.055
    assert np.mean(p <= 0.001) <= 0.002
    assert np.mean(p <= 0.05) >= 0.015


def test_a_step_is_seen_with_its_size() -> None:
    window = 0.01 * normal(30, 4)
    found = shift(window, window[-1:] * 0 + [0.1, 0, 0, 0])
    assert found.log[0] == pytest.approx(0.1, abs=0.01)
    assert found.p[0] < 1e-6
    assert found.p[1:].min() > 0.05


def test_disturbed_runs_of_the_window_neither_move_its_level_nor_hide_a_step() -> None:
    window = 0.01 * normal(30, 4)
    disturbed = window.copy()
    disturbed[[4, 17]] += 0.4
    clean, found = (shift(each, np.full((1, 4), 0.08)) for each in (window, disturbed))
    assert np.abs(found.log - clean.log).max() < 0.004
    assert found.p.max() < 1e-4


def test_one_disturbed_run_of_the_latest_three_is_no_step() -> None:
    window = 0.01 * normal(20, 4)
    assert shift(window, np.array([[0.0], [0.3], [0.0]]) + np.zeros(4)).p.min() > 0.05


def test_neighbouring_runs_that_resemble_each_other_widen_the_error() -> None:
    """A slow wave of the machine makes the latest five runs alike for no fault of the code's."""
    waves = 0.02 * np.sin(np.arange(30) / 3)[:, None] + 0.002 * normal(30, 4)
    shuffled = np.random.Generator(np.random.Philox(key=1)).permutation(waves)
    step = np.full((5, 4), 0.02)
    assert shift(waves, step).error.min() > 1.3 * shift(shuffled, step).error.max()


def test_a_case_that_happened_to_be_quiet_borrows_noise_from_the_others() -> None:
    window = 0.01 * normal(6, 8)
    window[:, 0] *= 0.05
    alone, among = shift(window[:, :1], np.full((1, 1), 0.02)), shift(window, np.full((1, 8), 0.02))
    assert alone.p[0] < 0.01 < among.p[0]


def test_equal_runs_are_not_taken_for_a_clock_without_noise() -> None:
    assert shift(np.zeros((10, 4)), np.full((1, 4), 0.001)).p.min() > 0.1


def test_a_window_that_is_too_short_and_other_numbers_of_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="no test"):
        shift(np.zeros((LEAST_RUNS - 1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="no test"):
        shift(np.zeros((10, 2)), np.zeros((6, 2)))
