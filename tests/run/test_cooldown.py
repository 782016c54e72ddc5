from __future__ import annotations

import pytest

from ltxbench.errors import UsageError
from ltxbench.run.conditions import Conditions
from ltxbench.run.cooldown import PAUSE_S, Surroundings, cool_down
from ltxbench.run.options import COOLDOWN_CAP_S, CooldownRule, phase_limits
from ltxbench.run.records import Phase


class Machine:
    """Cools down while it is waited for."""

    def __init__(self, rates, throttled=(), first=100.0, interrupted_after=None):
        self.now_s = 0.0
        self.rates, self.throttled = list(rates), list(throttled)
        self.first, self.interrupted_after = first, interrupted_after

    def wait(self, seconds):
        self.now_s += seconds
        return self.interrupted_after is None or self.now_s < self.interrupted_after

    def look(self):
        return Conditions(throttled=self.throttled.pop(0) if self.throttled else None)

    def rate(self):
        return self.rates.pop(0) if len(self.rates) > 1 else (self.rates[0] if self.rates else None)

    def around(self):
        return Surroundings(self.wait, self.look, self.rate, self.first, clock=lambda: self.now_s)


def test_a_fixed_wait_is_a_fixed_wait():
    found = cool_down(CooldownRule(7.0), Machine([1.0]).around())
    assert (found.waited_s, found.settled, found.rate_share) == (7.0, None, None)


def test_the_machine_is_settled_when_it_is_within_two_percent_of_its_first_rate():
    found = cool_down(CooldownRule(), Machine([90.0, 97.9, 98.0]).around())
    assert (found.waited_s, found.settled, found.rate_share) == (2 * PAUSE_S, True, 0.98)


def test_a_throttled_machine_is_not_settled_whatever_its_rate():
    found = cool_down(CooldownRule(), Machine([100.0], throttled=[True, True, False]).around())
    assert (found.waited_s, found.settled) == (2 * PAUSE_S, True)


def test_the_wait_ends_at_its_cap_and_says_that_it_did_not_help():
    found = cool_down(CooldownRule(), Machine([50.0]).around())
    assert (found.waited_s, found.settled, found.rate_share) == (COOLDOWN_CAP_S, False, 0.5)


def test_where_nothing_tells_nothing_is_waited_for_and_nothing_claimed():
    found = cool_down(CooldownRule(), Machine([], first=None).around())
    assert (found.waited_s, found.settled) == (0.0, None)


def test_an_interrupt_ends_the_wait():
    assert cool_down(CooldownRule(), Machine([50.0], interrupted_after=15).around()).waited_s == 2 * PAUSE_S


def test_rules_and_limits_are_read_strictly():
    assert str(CooldownRule.parse("settled")) == "settled"
    assert str(CooldownRule.parse("2.5")) == "2.5 s"
    for text in ("", "-1", "nan", "inf", "soon"):
        with pytest.raises(UsageError, match="--cooldown"):
            CooldownRule.parse(text)
    limits = phase_limits(["60", "load=900"])
    assert (limits.of(Phase.LOAD), limits.of(Phase.DECODE)) == (900.0, 60.0)
    assert phase_limits([]).of(Phase.LOAD) is None
    for text in ("lood=3", "load=", "load=-1", "0"):
        with pytest.raises(UsageError, match="--phase-limit"):
            phase_limits([text])
