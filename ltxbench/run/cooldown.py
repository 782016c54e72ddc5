"""Between two cases: a fixed wait, or one until the machine computes as fast as it did at first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ltxbench.run.conditions import Conditions
from ltxbench.run.options import COOLDOWN_CAP_S, CooldownRule
from ltxbench.run.records import Cooldown

SETTLED_SHARE = 0.98
"""Of the run's first rate of matrix products."""
PAUSE_S = 10.0
"""Between two looks: a look is work too, and heats."""


@dataclass(frozen=True)
class Surroundings:
    """How the machine is asked; every wait ends early when the user interrupts."""

    wait: Callable[[float], bool]
    """Waits for seconds; False when it was interrupted."""
    look: Callable[[], Conditions | None]
    rate: Callable[[], float | None]
    """The rate of matrix products now; None where it cannot be measured."""
    first_rate: float | None
    clock: Callable[[], float] = time.monotonic


def cool_down(rule: CooldownRule, around: Surroundings) -> Cooldown:
    """Waits as the rule says. `settled` is None where nothing could tell."""
    start_s = around.clock()
    if rule.seconds is not None:
        around.wait(rule.seconds)
        return Cooldown(waited_s=around.clock() - start_s)
    while True:
        settled, share = _settled(around)
        waited_s = around.clock() - start_s
        left_s = COOLDOWN_CAP_S - waited_s
        # Where nothing tells, waiting on would not change that.
        if settled is not False or left_s <= 0 or not around.wait(min(PAUSE_S, left_s)):
            return Cooldown(waited_s=around.clock() - start_s, settled=settled, rate_share=share)


def _settled(around: Surroundings) -> tuple[bool | None, float | None]:
    """Whether both the sensors and the rate say so, as far as each can; and the share of the first rate."""
    conditions = around.look()
    throttled = conditions.throttled if conditions else None
    if throttled:
        return False, None
    rate = around.rate() if around.first_rate else None
    if rate is None or not around.first_rate:
        return (None if throttled is None else True), None
    share = rate / around.first_rate
    return share >= SETTLED_SHARE, share
