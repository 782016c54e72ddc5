"""How many rounds an answer takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import log1p, pi, sqrt

import numpy as np
from scipy.special import nctdtr, ndtr, stdtrit

from ltxbench.statistics.null import attained_level, smallest_p, smallest_p_paired
from ltxbench.statistics.values import Floats

POWER = 0.80
MOST_ROUNDS = 200
RANK_EFFICIENCY = 3 / pi  # of a rank test where the t test is at its best, on normal noise


def least_rounds(alpha: float, *, paired: bool) -> int:
    """Rounds of each side from which on the exact test can give p <= alpha at all. 0.05: 4, paired 6."""
    rounds = 1
    while (smallest_p_paired(rounds) if paired else smallest_p(rounds, rounds)) > alpha:
        rounds += 1
    return rounds


def power(
    rounds: int, shift: float, noise: float, *, threshold: float = 0.0, alpha: float = 0.05, paired: bool = False
) -> float:
    """How often a true ratio of 1 + `shift` is significant, and seen beyond `threshold`, with `rounds` of each side.

    `noise` is the standard deviation of the logarithm of one sample (about the coefficient of variation); paired, that
    of one side once the rounds' common part is gone. An approximation for normal noise: the t test at the level that
    the exact test attains and at its efficiency.
    """
    level = attained_level(rounds, alpha, paired=paired)
    if level == 0:
        return 0.0
    effect, limit = abs(log1p(shift)), log1p(threshold)
    if noise == 0:
        return float(effect > limit)
    freedom = rounds - 1 if paired else 2 * rounds - 2
    error = noise * sqrt(2 / rounds / RANK_EFFICIENCY)
    significant = 1 - nctdtr(freedom, effect / error, stdtrit(freedom, 1 - level / 2))
    return float(min(significant, ndtr((effect - limit) / error)))


@lru_cache(maxsize=4096)
def rounds_needed(
    shift: float,
    noise: float,
    *,
    threshold: float = 0.0,
    alpha: float = 0.05,
    wanted: float = POWER,
    paired: bool = False,
) -> int | None:
    """Fewest rounds of each side that find a true ratio of 1 + `shift` with probability `wanted`; None beyond 200."""
    return _first(
        least_rounds(alpha, paired=paired),
        lambda rounds: power(rounds, shift, noise, threshold=threshold, alpha=alpha, paired=paired) >= wanted,
    )


@lru_cache(maxsize=4096)
def rounds_for_same(
    shift: float, noise: float, threshold: float, *, alpha: float = 0.05, wanted: float = POWER, paired: bool = False
) -> int | None:
    """Fewest rounds whose interval lies within 1/(1+threshold) to 1+threshold with probability `wanted`, if the true
    ratio is 1 + `shift`; None when it never does within 200."""
    room = log1p(threshold) - abs(log1p(shift))
    if room <= 0:
        return None

    def enough(rounds: int) -> bool:
        freedom = rounds - 1 if paired else 2 * rounds - 2
        level = attained_level(rounds, alpha, paired=paired)
        width = noise * sqrt(2 / rounds / RANK_EFFICIENCY)
        # Both ends must hold; their errors are not independent, so this is on the safe side.
        return float(stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, (1 + wanted) / 2)) * width <= room

    return _first(max(2, least_rounds(alpha, paired=paired)), enough)


def log_noise(old: Floats, new: Floats, *, paired: bool) -> float:
    """Standard deviation of the logarithm of one sample, robust: from the MAD around each side's own median.

    Paired, from the pairs' quotients (which hold the noise of both sides). 0 where the samples are too few to tell.
    """
    if paired:
        rest = np.log(new) - np.log(old)
        rest, lost, share = rest - np.median(rest), 1, sqrt(0.5)
    else:
        sides = [np.log(side) - np.median(np.log(side)) for side in (old, new)]
        rest, lost, share = np.concatenate(sides), 2, 1.0
    if len(rest) <= lost:
        return 0.0
    correction = share * sqrt(len(rest) / (len(rest) - lost))
    scaled = 1.4826 * float(np.median(np.abs(rest)))
    return correction * (scaled or float(np.sqrt(np.mean(np.square(rest)))))


def _first(first: int, enough: Callable[[int], bool]) -> int | None:
    """By halving: `enough` stays true once it is."""
    if not enough(MOST_ROUNDS):
        return None
    low, high = first - 1, MOST_ROUNDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
