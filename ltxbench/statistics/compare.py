"""Two samples of times: faster, slower, the same, or not to be told yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Literal

import numpy as np

from ltxbench.statistics.correction import holm
from ltxbench.statistics.interval import Ratio, ratio_of_pairs, ratio_of_samples
from ltxbench.statistics.null import EXACT_SIZE, smallest_p, smallest_p_paired
from ltxbench.statistics.power import least_rounds, log_noise, rounds_for_same, rounds_needed
from ltxbench.statistics.values import Floats, finite

if TYPE_CHECKING:
    from scipy.stats import PermutationMethod

THRESHOLD = 0.03
ALPHA = 0.05
EQUAL = 1e-9  # samples closer together than this share are equal: sums of decimal figures round differently
ENUMERATED = 20_000  # arrangements that are all looked at where there are ties
RESAMPLES = 9_999


class Answer(StrEnum):
    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why there is no answer."""

    TOO_FEW = "too few rounds"
    """No outcome of the exact test could have been significant."""
    NOISE = "too much noise"
    """The difference may be there or not."""
    ON_THRESHOLD = "close to the threshold"
    """The difference is there; whether it is large enough is not settled."""
    RESOLUTION = "below the clock's resolution"
    """A sample is 0, and a ratio to it is nothing; or the clock's steps are too coarse to call two sides the same."""


@dataclass(frozen=True)
class Comparison:
    """`ratio` is new over old: 1.05 is 5% slower. None is "not known", never "no difference"."""

    answer: Answer
    n_old: int
    n_new: int
    threshold: float
    alpha: float
    paired: bool
    """Compared round by round."""
    family: int = 1
    """How many comparisons share the error rate."""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    """1-alpha interval of this ratio by itself, not widened for the family; `resolution` is part of it."""
    resolution: float = 0.0
    """By what share the ratio may be off because the samples come in steps; 0 where no two of them are equal."""
    p: float | None = None
    """Of the exact test, two-sided; None where it could not have been significant."""
    p_adjusted: float | None = None
    """Holm's, over the family."""
    reason: Reason | None = None
    """Of `inconclusive`."""
    rounds_needed: int | None = None
    """More rounds of each side until there probably is an answer; None where there is one, or no number settles it."""


def compare(
    old: Sequence[float],
    new: Sequence[float],
    *,
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    paired: bool = False,
    family: int = 1,
) -> Comparison:
    """Compares two samples of positive times, one sample a round.

    faster, slower   the test is significant and the ratio is beyond the threshold
    same             the whole interval lies within the threshold, 1/(1+t) to 1+t
    inconclusive     anything else, with the reason and the rounds that are missing

    With `paired`, old[i] and new[i] are of one round; the signed-rank test is used once it can be significant, and the
    rank-sum test below that, which common rounds only make more careful. `family` comparisons share alpha; a single
    one is judged at alpha/family here, many together by `compare_all`. Raises ValueError for NaN, infinity, negative
    samples, pairs of unequal number, and limits that are none.
    """
    measured = _measure(old, new, threshold=threshold, alpha=alpha, paired=paired, family=family)
    adjusted = None if measured.p is None else min(1.0, family * measured.p)
    return _decide(replace(measured, p_adjusted=adjusted), old, new)


def compare_all(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]],
    *,
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    paired: bool = False,
) -> tuple[Comparison, ...]:
    """As `compare` for each pair, with Holm's correction: at most alpha of such families have any false answer."""
    measured = [
        _measure(old, new, threshold=threshold, alpha=alpha, paired=paired, family=len(pairs)) for old, new in pairs
    ]
    adjusted = holm([each.p for each in measured])
    return tuple(
        _decide(replace(each, p_adjusted=p), *pair) for each, p, pair in zip(measured, adjusted, pairs, strict=True)
    )


def _measure(
    old: Sequence[float], new: Sequence[float], *, threshold: float, alpha: float, paired: bool, family: int
) -> Comparison:
    """Everything but the answer."""
    if not (0 < alpha < 1 and threshold > 0 and family >= 1):
        raise ValueError("alpha lies between 0 and 1, the threshold above 0, and a family has a member")
    before, after = finite(old), finite(new)
    if min(before.min(initial=0), after.min(initial=0)) < 0:
        raise ValueError("a time is negative")
    if paired and len(before) != len(after):
        raise ValueError(f"{len(before)} and {len(after)} samples are no pairs")
    by_round = paired and smallest_p_paired(len(before)) <= alpha / family
    unknown = Comparison(Answer.INCONCLUSIVE, len(before), len(after), threshold, alpha, by_round, family)
    if not (len(before) and len(after)):
        return replace(unknown, reason=Reason.TOO_FEW)
    if min(before.min(), after.min()) == 0:
        return replace(unknown, reason=Reason.RESOLUTION)
    ratio: Ratio = (ratio_of_pairs if by_round else ratio_of_samples)(before, after, alpha)
    least = smallest_p_paired(len(before)) if by_round else smallest_p(len(before), len(after))
    p = None if least > alpha else (_paired_p if by_round else _p)(before, after)
    grain = _resolution(before, after)
    return replace(
        unknown,
        ratio=ratio.estimate,
        low=None if ratio.low is None else ratio.low / (1 + grain),
        high=None if ratio.high is None else ratio.high * (1 + grain),
        resolution=grain,
        p=p,
    )


def _resolution(old: Floats, new: Floats) -> float:
    """Half a step of each side's clock. A clock that counts in steps gives equal samples, and the step is the smallest
    distance between the others."""
    values = np.sort(np.concatenate([old, new]))
    gaps = np.diff(values)
    apart = gaps > EQUAL * values[:-1]
    if apart.all() or not apart.any():
        return 0.0
    step = float(gaps[apart].min())
    return step / 2 / float(np.median(old)) + step / 2 / float(np.median(new))


def _decide(measured: Comparison, old: Sequence[float], new: Sequence[float]) -> Comparison:
    upper, ratio = 1 + measured.threshold, measured.ratio
    significant = measured.p_adjusted is not None and measured.p_adjusted <= measured.alpha
    if ratio is None:
        more = _missing(measured) if measured.reason is Reason.TOO_FEW else None
        return replace(measured, rounds_needed=more)
    if significant and ratio > upper:
        return replace(measured, answer=Answer.SLOWER)
    if significant and ratio < 1 / upper:
        return replace(measured, answer=Answer.FASTER)
    if measured.low is not None and measured.high is not None:
        grain = 1 + measured.resolution
        if 1 / upper <= measured.low <= measured.high <= upper:
            return replace(measured, answer=Answer.SAME)
        if 1 / upper <= measured.low * grain <= measured.high / grain <= upper:
            return replace(measured, reason=Reason.RESOLUTION)
    reason = Reason.TOO_FEW if measured.p is None else Reason.ON_THRESHOLD if significant else Reason.NOISE
    return replace(measured, reason=reason, rounds_needed=_more_rounds(measured, ratio, finite(old), finite(new)))


def _missing(measured: Comparison) -> int:
    """Rounds until the exact test can give an answer at all."""
    least = least_rounds(measured.alpha / measured.family, paired=measured.paired)
    return max(1, least - min(measured.n_old, measured.n_new))


def _more_rounds(measured: Comparison, ratio: float, old: Floats, new: Floats) -> int | None:
    """From the difference and the noise seen so far: whichever answer is nearer, at the family's strictest level."""
    noise = log_noise(old, new, paired=measured.paired)
    level = measured.alpha / measured.family
    shift = ratio - 1
    alike = 1 / (1 + measured.threshold) <= ratio <= 1 + measured.threshold
    total = (
        rounds_for_same(shift, noise, measured.threshold, alpha=measured.alpha, paired=measured.paired)
        if alike
        else rounds_needed(shift, noise, threshold=measured.threshold, alpha=level, paired=measured.paired)
    )
    return None if total is None else max(_missing(measured), total - min(measured.n_old, measured.n_new))


def _p(old: Floats, new: Floats) -> float:
    """Mann-Whitney, two-sided: exact without ties, by all arrangements (or 9,999 seeded ones) with them."""
    from scipy.stats import rankdata  # as in drift: slow to import

    ranks = rankdata(np.concatenate([old, new])).tolist()
    return _rank_sum_p(tuple(sorted(ranks[: len(old)])), tuple(sorted(ranks[len(old) :])))


@lru_cache(maxsize=4096)
def _rank_sum_p(old: tuple[float, ...], new: tuple[float, ...]) -> float:
    """Of ranks: small samples have few patterns of them."""
    from scipy.stats import mannwhitneyu

    method: Literal["exact", "asymptotic"] | PermutationMethod = "exact"
    if len({*old, *new}) < len(old) + len(new):
        method = _arrangements(comb(len(old) + len(new), len(old)))
    elif max(len(old), len(new)) > EXACT_SIZE:
        method = "asymptotic"
    return float(mannwhitneyu(old, new, method=method).pvalue)


def _paired_p(old: Floats, new: Floats) -> float:
    """Wilcoxon's signed ranks, two-sided: exact; pairs without a difference count half to each side."""
    from scipy.stats import rankdata

    differences = np.log(new) - np.log(old)
    if not differences.any():
        return 1.0
    ranks = np.sign(differences) * rankdata(np.abs(differences))
    return _signed_rank_p(tuple(np.sort(ranks).tolist()))


@lru_cache(maxsize=4096)
def _signed_rank_p(signed: tuple[float, ...]) -> float:
    """Of ranks with the sign of their difference, 0 where there is none."""
    from scipy.stats import wilcoxon

    sizes = {abs(rank) for rank in signed}
    method: Literal["auto", "exact"] | PermutationMethod = "exact"
    if len(sizes) < len(signed) or 0 in sizes:
        method = _arrangements(2 ** len(signed))
    elif len(signed) > EXACT_SIZE:
        method = "auto"
    return float(wilcoxon(signed, zero_method="zsplit", method=method, axis=None).pvalue)


def _arrangements(count: int) -> PermutationMethod:
    from scipy.stats import PermutationMethod

    if count <= ENUMERATED:
        return PermutationMethod(n_resamples=ENUMERATED)
    return PermutationMethod(n_resamples=RESAMPLES, rng=np.random.Generator(np.random.Philox(key=0)))
