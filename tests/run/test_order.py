from __future__ import annotations

import pytest

from ltxbench.errors import UsageError
from ltxbench.run.order import extended, planned, rounds

NAMES = ["a", "b", "c", "d"]
ORDER = (("a", "d", "b", "c"), ("b", "c", "d", "a"))


def test_one_round_keeps_the_matrix_order():
    schedule = rounds(NAMES, 1, None)
    assert schedule.order == (tuple(NAMES),)
    assert schedule.order_seed is None
    assert planned(schedule) == tuple((name, 1) for name in NAMES)


def test_every_round_has_all_cases_in_an_order_of_its_own_that_the_seed_decides():
    schedule = rounds(NAMES, 6, 3)
    assert all(sorted(names) == NAMES for names in schedule.order)
    assert len(set(schedule.order)) > 1
    assert schedule == rounds(NAMES, 6, 3)
    assert schedule.order != rounds(NAMES, 6, 4).order
    assert rounds(NAMES, 6, None) == rounds(NAMES, 6, 0)


def test_the_order_does_not_change_from_one_version_to_the_next():
    assert rounds(NAMES, 2, 0).order == ORDER


def test_cases_are_interleaved_and_the_check_comes_last():
    schedule = rounds(NAMES, 2, 0).model_copy(update={"check": True})
    plan = planned(schedule)
    assert [number for _, number in plan] == [1] * 4 + [2] * 4 + [0] * 4
    assert [name for name, _ in plan[8:]] == list(schedule.order[0])


def test_more_rounds_leave_the_first_ones_as_they_were():
    assert extended(rounds(NAMES, 2, 5), NAMES, 4) == rounds(NAMES, 4, 5)
    assert extended(rounds(NAMES, 1, None), NAMES, 2).order[0] == tuple(NAMES)
    with pytest.raises(UsageError, match="has 4 rounds"):
        extended(rounds(NAMES, 4, 5), NAMES, 2)
