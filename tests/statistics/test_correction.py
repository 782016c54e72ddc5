from __future__ import annotations

import pytest

from ltxbench.statistics.correction import holm


def test_holm_multiplies_by_the_number_still_open_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_what_was_not_tested_does_not_count() -> None:
    assert holm([0.04, None, 0.5]) == (0.08, None, 0.5)
    assert holm([]) == ()


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(ValueError):
        holm([bad])
