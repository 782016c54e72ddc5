"""What else than the code may have made a difference between two cases: the machine's drift, or steps it held up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ltxbench.run.records import CaseRecord
from ltxbench.statistics.compare import ALPHA, Answer, Comparison
from ltxbench.statistics.interval import ratio_of_pairs, ratio_of_samples
from ltxbench.trust.drift import case_drift
from ltxbench.trust.samples import Metric, as_first, series, unhindered
from ltxbench.trust.wording import measured, signed

Rounds = tuple[CaseRecord, ...]
Sides = tuple[Rounds, Rounds]
"""Old and new."""


def excuse(names: tuple[str, str], rounds: Sides, metric: Metric, found: Comparison, *, paired: bool) -> str | None:
    """Why an answer is none: a difference no larger than the sides' own drift, or the lack of one; or a change that
    some steps do not show. None where there is nothing to say against it.

    A series' median, and its sum, move by at most as much as the series itself does. What all cases of a round share
    is no excuse where they are compared round by round.
    """
    if not metric.denoises or found.ratio is None:
        return None
    if found.answer in (Answer.FASTER, Answer.SLOWER):
        change = found.ratio - 1
        for words, ratio in _elsewhere(rounds, metric, paired=paired):
            if (ratio - 1) * change < found.threshold * abs(change):
                return f"{measured(found)}, but {signed(ratio - 1)} {words}"
    drifts = [case_drift(side) for side in rounds]
    if paired or metric.stage is not None:
        drifts = [each.within(metric.stage) for each in drifts]
    total = sum(each.size for each in drifts)
    if total == 0 or max(found.ratio, 1 / found.ratio) - 1 > total + found.threshold:
        return None
    worst = [(name, each.worst) for each, name in zip(drifts, names, strict=True)]
    who = " and ".join(f"{name} {stretch.sentence}" for name, stretch in worst if stretch is not None)
    return f"{measured(found)}, no more than drift makes: {who}"


def _elsewhere(rounds: Sides, metric: Metric, *, paired: bool) -> Iterator[tuple[str, float]]:
    """The ratio where the machine held up nothing: code that is slower is slower in every step."""
    for kind, words in (
        (unhindered(metric), "with every step as fast as its round's fastest"),
        (as_first(metric), "with every step like its stage's first"),
    ):
        old, new = (np.array(each) for each in series(rounds, kind, paired=paired))
        if min(old.min(initial=np.inf), new.min(initial=np.inf)) > 0 and len(old) and len(new):
            ratio_of = ratio_of_pairs if paired else ratio_of_samples
            yield words, ratio_of(old, new, ALPHA).estimate
