"""Distributions of rank statistics when there is nothing to find, exact for small samples and cached.

scipy gives p-values; the intervals that belong to them, and the test of serial order, need the distributions.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from math import comb

import numpy as np
from scipy.special import ndtri

from ltxbench.statistics.values import Floats

EXACT_SIZE = 50  # of the larger sample; beyond it the normal approximation is as good
ENUMERATED = 8  # values whose every order is looked at; 8! = 40,320
ORDERS = 20_000  # random orders of longer series


def smallest_p(n_old: int, n_new: int) -> float:
    """The smallest two-sided p that an exact Mann-Whitney test of two samples can give; 1 where one is empty."""
    return min(1.0, 2 / comb(n_old + n_new, n_old)) if min(n_old, n_new) else 1.0


def smallest_p_paired(pairs: int) -> float:
    """The smallest two-sided p of an exact signed-rank test."""
    return min(1.0, 2.0 ** (1 - pairs))


def attained_level(rounds: int, alpha: float, *, paired: bool) -> float:
    """The largest p up to alpha that the exact test of so many rounds of each side can give; 0 where there is none."""
    if rounds > EXACT_SIZE:
        return alpha
    ways = _signed_rank_ways(rounds) if paired else _rank_sum_ways(rounds, rounds)
    tail = _tail(ways, alpha)
    return float(2 * ways[:tail].sum() / ways.sum())


@lru_cache(maxsize=512)
def rank_sum_tail(n_old: int, n_new: int, alpha: float) -> int:
    """How many of the sorted n_old·n_new differences lie outside the 1-alpha interval on each side, plus one.

    0 when no interval has that confidence. This is the k of Moses' interval [D(k), D(nm+1-k)] (Hollander, Wolfe and
    Chicken, Nonparametric Statistical Methods, 3rd edition, section 4.3).
    """
    if max(n_old, n_new) > EXACT_SIZE:
        total = n_old * n_new
        spread = np.sqrt(total * (n_old + n_new + 1) / 12)
        return max(0, int(np.floor(total / 2 - ndtri(1 - alpha / 2) * spread)))
    return _tail(_rank_sum_ways(n_old, n_new), alpha)


@lru_cache(maxsize=512)
def signed_rank_tail(pairs: int, alpha: float) -> int:
    """As rank_sum_tail, for the sorted n(n+1)/2 Walsh averages (Tukey's interval, there section 3.3)."""
    total = pairs * (pairs + 1) // 2
    if pairs > EXACT_SIZE:
        spread = np.sqrt(total * (2 * pairs + 1) / 12)
        return max(0, int(np.floor(total / 2 - ndtri(1 - alpha / 2) * spread)))
    return _tail(_signed_rank_ways(pairs), alpha)


@lru_cache(maxsize=128)
def _rank_sum_ways(n_old: int, n_new: int) -> Floats:
    """How many choices of the old samples' ranks have u pairs in which the new one is smaller, by u."""
    # ways[j, u]: choices of j old samples among those looked at, with u pairs in which the new one is smaller
    ways = np.zeros((n_old + 1, n_old * n_new + 1))
    ways[0, 0] = 1
    for rank in range(n_old + n_new):
        for chosen in range(min(rank + 1, n_old), 0, -1):
            below = rank - (chosen - 1)
            if below <= n_new:
                ways[chosen, below:] += ways[chosen - 1, : ways.shape[1] - below]
    return np.asarray(ways[n_old])


@lru_cache(maxsize=128)
def _signed_rank_ways(pairs: int) -> Floats:
    """How many choices of signs have a sum of positive ranks of w, by w."""
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, pairs + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    return ways


def _tail(ways: Floats, alpha: float) -> int:
    """The number of values whose two-sided p is at most alpha."""
    p = 2 * np.cumsum(ways) / ways.sum()
    return int(np.searchsorted(p, alpha * (1 + 1e-9), side="right"))


def serial_p(ranks: Floats) -> float:
    """How often a random order of these ranks changes as little from one to the next: one-sided, in (0, 1].

    Bartels' rank version of von Neumann's ratio (JASA 77, 1982): small for a trend, a shift and a slow wave alike.
    Exact up to eight values, from 20,000 seeded orders beyond; ties are ranks in the middle, and need nothing else.
    """
    statistic = float(np.square(np.diff(ranks)).sum())
    null = _serial_null(tuple(np.sort(ranks).tolist()))
    at_most = int(np.searchsorted(null, statistic + 1e-9, side="right"))
    exact = len(ranks) <= ENUMERATED
    return at_most / len(null) if exact else (at_most + 1) / (len(null) + 1)


@lru_cache(maxsize=512)
def _serial_null(ranks: tuple[float, ...]) -> Floats:
    """Sorted sums of squared differences over orders of `ranks`."""
    values = np.array(ranks)
    if len(values) <= ENUMERATED:
        orders = values[np.array(list(permutations(range(len(values)))))]
    else:
        generator = np.random.Generator(np.random.Philox(key=len(values)))
        orders = generator.permuted(np.broadcast_to(values, (ORDERS, len(values))), axis=1)
    return np.sort(np.square(np.diff(orders, axis=1)).sum(axis=1))
