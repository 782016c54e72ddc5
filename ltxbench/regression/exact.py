"""What needs no statistics: whether a case ended, its memory, its frames, and what they look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from ltxbench.matrix.gate import Limit, Thresholds
from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.regression.verdict import Answer, MetricVerdict
from ltxbench.run.records import Outcome
from ltxbench.trust.samples import FOOTPRINT, PEAK

OUTCOME, FRAMES, ARTIFACTS = "outcome", "frames", "artifact_score"
OPEN_OUTCOMES = {Outcome.INTERRUPTED.value}
LATEST = 5
"""Runs whose median is the level where it is lower than the window's."""
Pictures = Callable[[Entry, str], float | str]
"""PSNR in dB of a case's frames against those of an entry's run, or why it cannot be told."""


def outcome(case: CaseEntry, window: Sequence[Entry]) -> MetricVerdict:
    lost = [each for each in case.outcomes if each != Outcome.OK.value]
    ran = len(case.outcomes)
    if ran and not lost:
        return _said(OUTCOME, "outcome", Answer.SAME, f"{ran} of {ran} rounds finished", runs=len(window))
    told = f": {case.failure}" if case.failure else ""
    text = f"{len(lost)} of {ran} rounds ended as {', '.join(dict.fromkeys(lost))}{told}" if ran else "no round ended"
    if lost and set(lost) <= OPEN_OUTCOMES:
        return _said(OUTCOME, "outcome", Answer.INCONCLUSIVE, text, runs=len(window))
    before = [set(each.by_name[case.name].outcomes) for each in window]
    if before and all(found and found == set(case.outcomes) for found in before):
        return _said(OUTCOME, "outcome", Answer.SAME, f"{text}, as in the baseline", runs=len(window))
    return _said(OUTCOME, "outcome", Answer.REGRESSED, text, runs=len(window))


def gone(name: str) -> MetricVerdict:
    return _said(OUTCOME, "outcome", Answer.REGRESSED, f"{name} is in the baseline and not in this run")


def memory(case: CaseEntry, window: Sequence[Entry], limits: Thresholds) -> list[MetricVerdict]:
    found = []
    for metric, limit in ((PEAK, limits.memory), (FOOTPRINT, limits.footprint)):
        new = case.levels.get(metric.name)
        if limit == "off" or limit is None:
            continue
        before = [level for each in window if (level := each.by_name[case.name].levels.get(metric.name)) is not None]
        if new is None and not before:
            continue
        found.append(_amount(metric.name, metric.title, before, new, limit))
    return found


def _level(before: Sequence[float]) -> float | None:
    """What was saved and has lasted is the level: its loss is a regression, half a window later and at once."""
    return min(median(before), median(before[-LATEST:])) if before else None


def _amount(name: str, title: str, before: Sequence[float], new: float | None, limit: float) -> MetricVerdict:
    old = _level(before)
    if old is None or new is None or old <= 0:
        answer = Answer.MISSING if old is None or old <= 0 else Answer.INCONCLUSIVE
        text = "the baseline does not have it" if answer is Answer.MISSING else "this run does not have it"
        return _said(name, title, answer, text, old=old, new=new, threshold=limit, runs=len(before))
    ratio = new / old
    answer = Answer.REGRESSED if ratio > 1 + limit else Answer.IMPROVED if ratio < 1 / (1 + limit) else Answer.SAME
    text = f"{new / 2**30:.3f} GiB, the baseline {old / 2**30:.3f} GiB ({ratio - 1:+.1%}, {limit:.1%} is allowed)"
    return _said(name, title, answer, text, old=old, new=new, ratio=ratio, threshold=limit, runs=len(before))


def frames(
    case: CaseEntry, window: Sequence[Entry], limit: Limit | str | None, pictures: Pictures | None
) -> MetricVerdict | None:
    """By hash; where a PSNR floor is set, by the frames themselves once the hashes differ.

    A change that is known is not excused by frames that are not there to be compared.
    """
    if limit == "off" or limit is None:
        return None
    known = [each for each in window if each.by_name[case.name].frames_sha256]
    if not case.frames_sha256 or not known:
        if not case.frames_sha256 and not known:
            return None
        answer = Answer.MISSING if not known else Answer.INCONCLUSIVE
        text = "the baseline has none" if not known else "this run made none"
        return _said(FRAMES, "frames", answer, text, runs=len(known))
    seen = {sha256 for each in known for sha256 in each.by_name[case.name].frames_sha256}
    latest = known[-1]
    if set(case.frames_sha256) <= seen:
        return _said(FRAMES, "frames", Answer.SAME, "identical, by hash", runs=len(known))
    if isinstance(limit, float):
        of, told = _psnr_db(known, case.name, pictures)
        if isinstance(told, float):
            answer = Answer.SAME if told >= limit else Answer.REGRESSED
            text = f"other frames than in {of.id}, PSNR {told:.1f} dB; {limit:g} dB is the floor"
            return _said(FRAMES, "frames", answer, text, new=told, threshold=limit, runs=len(known))
        text = f"other frames than in {of.id}, and their PSNR cannot be told: {told}"
        return _said(FRAMES, "frames", Answer.REGRESSED, text, threshold=limit, runs=len(known))
    if any(len(each.by_name[case.name].frames_sha256) > 1 for each in known) or len(seen) >= max(2, len(known)):
        text = "one seed does not give one video here, in the baseline either: set a PSNR floor instead"
        return _said(FRAMES, "frames", Answer.INCONCLUSIVE, text, runs=len(known))
    if len(case.frames_sha256) > 1:
        text = f"{len(case.frames_sha256)} different videos came out of one seed, the baseline has one"
        return _said(FRAMES, "frames", Answer.REGRESSED, text, runs=len(known))
    return _said(FRAMES, "frames", Answer.REGRESSED, f"other frames than in {latest.id}", runs=len(known))


def _psnr_db(known: Sequence[Entry], name: str, pictures: Pictures | None) -> tuple[Entry, float | str]:
    """Against the oldest run whose frames are still here: against the latest, pictures could drift for ever."""
    if pictures is None:
        return known[-1], "the runs were not given"
    told: float | str = ""
    for each in known:
        told = pictures(each, name)
        if isinstance(told, float):
            return each, told
    return known[-1], told


def quality(case: CaseEntry, window: Sequence[Entry], limit: Limit | None) -> MetricVerdict | None:
    """The artifact score may grow by so much, and no more."""
    if limit == "off" or limit is None:
        return None
    before = [score for each in window if (score := each.by_name[case.name].artifact_score) is not None]
    new = case.artifact_score
    if new is None and not before:
        return None
    old = _level(before)
    if new is None or old is None:
        answer = Answer.INCONCLUSIVE if new is None else Answer.MISSING
        text = "not measured in this run: `ltxbench quality RUN`" if new is None else "the baseline does not have it"
        return _said(ARTIFACTS, "artifact score", answer, text, old=old, new=new, threshold=limit, runs=len(before))
    answer = Answer.REGRESSED if new > old + limit else Answer.IMPROVED if new < old - limit else Answer.SAME
    text = f"{new:.2f}, the baseline {old:.2f} ({new - old:+.2f}, {limit:g} is allowed)"
    return _said(ARTIFACTS, "artifact score", answer, text, old=old, new=new, threshold=limit, runs=len(before))


def _said(
    metric: str,
    title: str,
    answer: Answer,
    sentence: str,
    *,
    old: float | None = None,
    new: float | None = None,
    ratio: float | None = None,
    threshold: float | None = None,
    runs: int = 0,
) -> MetricVerdict:
    return MetricVerdict(
        metric=metric,
        title=title,
        answer=answer,
        sentence=sentence,
        old=old,
        new=new,
        ratio=ratio,
        threshold=threshold,
        runs=runs,
    )
