from __future__ import annotations

import numpy as np
import pytest

from ltxbench.statistics.compare import Answer, compare
from ltxbench.statistics.power import least_rounds, log_noise, power, rounds_for_same, rounds_needed


def test_the_least_rounds_are_those_whose_smallest_p_is_small_enough() -> None:
    assert least_rounds(0.05, paired=False) == 4
    assert least_rounds(0.05 / 8, paired=False) == 6
    assert least_rounds(0.05, paired=True) == 6


@pytest.mark.parametrize(("shift", "noise", "paired"), [(0.05, 0.02, False), (0.05, 0.03, False), (0.10, 0.05, True)])
def test_the_rounds_it_asks_for_find_the_shift(shift: float, noise: float, paired: bool) -> None:
    rounds = rounds_needed(shift, noise, threshold=0.03, paired=paired)
    assert rounds is not None
    generator = np.random.default_rng(7)
    old, new = generator.lognormal(0, noise, (2, 500, rounds))
    found = [compare(a.tolist(), ((1 + shift) * b).tolist(), paired=paired) for a, b in zip(old, new, strict=True)]
    share = np.mean([each.answer is Answer.SLOWER for each in found])
    assert share >= 0.80 - 0.08  # the approximation's error at so few rounds, and the trial's
    assert power(rounds - 1, shift, noise, threshold=0.03, paired=paired) < 0.80


def test_the_rounds_for_the_same_give_the_same() -> None:
    rounds = rounds_for_same(0.0, 0.02, 0.03)
    assert rounds is not None
    old, new = np.random.default_rng(3).lognormal(0, 0.02, (2, 300, rounds))
    found = [compare(a.tolist(), b.tolist()).answer is Answer.SAME for a, b in zip(old, new, strict=True)]
    assert np.mean(found) >= 0.75


def test_no_shift_is_ever_found_and_a_hopeless_noise_has_no_number() -> None:
    assert rounds_needed(0.0, 0.02) is None
    assert rounds_needed(0.05, 1.0) is None
    assert rounds_for_same(0.03, 0.02, 0.03) is None


def test_without_noise_the_exact_test_alone_decides() -> None:
    assert rounds_needed(0.05, 0.0) == 4
    assert rounds_needed(0.05, 0.0, paired=True) == 6
    assert rounds_for_same(0.0, 0.0, 0.03) == 4


def test_the_noise_is_measured_within_each_side_and_does_not_follow_an_outlier() -> None:
    generator = np.random.default_rng(0)
    old, new = generator.lognormal(0, 0.02, 200), generator.lognormal(1.0, 0.02, 200)
    assert log_noise(old, new, paired=False) == pytest.approx(0.02, rel=0.2)
    old[0] *= 100
    assert log_noise(old, new, paired=False) == pytest.approx(0.02, rel=0.2)


def test_the_noise_of_pairs_leaves_out_what_they_share() -> None:
    generator = np.random.default_rng(0)
    shared = generator.lognormal(0, 0.5, 200)
    old, new = generator.lognormal(0, 0.02, (2, 200)) * shared
    assert log_noise(old, new, paired=True) == pytest.approx(0.02, rel=0.2)


def test_one_sample_of_each_tells_no_noise() -> None:
    assert log_noise(np.array([1.0]), np.array([2.0]), paired=False) == 0
