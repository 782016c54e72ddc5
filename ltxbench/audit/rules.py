"""The four audits: from executions of a case to an answer each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ltxbench.audit.execution import Execution
from ltxbench.audit.records import Answer, Check, Finding
from ltxbench.run.records import Phase

FLOOR = 0.10
"""A repetition may always be faster by this share: clocks, caches of the processor, the allocator."""
TIMES_NOISE = 3.0
NO_TEST = 0.9
"""From this threshold on not even a phase that was left out could be told from noise."""
SLOWED = 0.25
"""A repetition that takes longer by this share, and by the threshold, was disturbed and shows nothing."""
SHORT_S = 0.02
"""Phases below are left to the total: a clock's and a scheduler's grain is no caching."""


@dataclass(frozen=True)
class Pair:
    """Two executions that must have made the same, and what they are."""

    one: Execution
    other: Execution
    words: str


def same_seed(pairs: Sequence[Pair], untested: Sequence[str] = ()) -> Finding:
    """Every pair bitwise equal; `untested` are clauses about what could not be compared with."""
    return _equal(Check.SAME_SEED, pairs, untested)


def untouched(pairs: Sequence[Pair], untested: Sequence[str] = ()) -> Finding:
    """Frames with step timer and sampler against frames without."""
    return _equal(Check.UNTOUCHED, pairs, untested)


def _equal(check: Check, pairs: Sequence[Pair], untested: Sequence[str]) -> Finding:
    clauses, failed, tested = [], False, False
    for pair in pairs:
        failure = pair.one.failure or pair.other.failure
        differing = _difference(pair.one, pair.other)
        if failure is not None:
            clauses.append(f"{pair.words}: not compared, {failure}")
        elif differing is None:
            tested = True
            clauses.append(f"{pair.words}: bitwise the same {_kinds(pair.one, pair.other)}")
        else:
            tested = failed = True
            clauses.append(f"{pair.words}: the {differing} differ")
    answer = Answer.FAILED if failed else Answer.PASSED if tested else Answer.UNTESTED
    return Finding(check=check, answer=answer, sentence=_sentence([*clauses, *untested]))


def other_seed(fresh: Execution, other: Execution) -> Finding:
    """A picture that does not depend on the seed does not depend on the noise."""
    failure = fresh.failure or other.failure
    if failure is not None:
        return Finding(check=Check.OTHER_SEED, answer=Answer.UNTESTED, sentence=_sentence([failure]))
    same = [
        what
        for what, one, two in (
            ("latent", fresh.latent_sha256, other.latent_sha256),
            ("frames", fresh.frames_sha256, other.frames_sha256),
        )
        if one is not None and one == two
    ]
    if same:
        sentence = f"The next seed makes the same {' and '.join(same)}."
        return Finding(check=Check.OTHER_SEED, answer=Answer.FAILED, sentence=sentence)
    kinds = _kinds(fresh, other)
    return Finding(check=Check.OTHER_SEED, answer=Answer.PASSED, sentence=f"The next seed makes other {kinds}.")


def nothing_kept(fresh: Sequence[Execution], repeated: Sequence[Execution]) -> Finding:
    """Each of `repeated` was made after another in its process; all of them must be faster for this to fail.

    Compared are the generation and each of its phases, with the fastest fresh one: what disturbs a measurement makes
    it longer. The threshold is three times as much as the median fresh one lies above the fastest, and 10% at least.
    A repetition that was itself disturbed does not count.
    """
    check = Check.NOTHING_KEPT
    usable = [one for one in fresh if one.failure is None]
    failure = next((one.failure for one in repeated if one.failure is not None), None)
    if failure is not None or len(usable) < 2 or not repeated:
        why = failure or f"{len(usable)} fresh executions show no noise"
        return Finding(check=check, answer=Answer.UNTESTED, sentence=_sentence([why]))
    left_out = [phase for phase in usable[0].phases_s if all(phase not in one.phases_s for one in repeated)]
    if left_out:
        names = " and ".join(map(_name, left_out))
        sentence = f"Something is kept that should be computed: a repetition leaves out {names}."
        return Finding(check=check, answer=Answer.FAILED, sentence=sentence)
    worst: Finding | None = None
    tested: list[Finding] = []
    for name, phase in (("generation", None), *((_name(phase), phase) for phase in usable[0].phases_s)):
        finding = _faster(name, [_time(one, phase) for one in usable], [_time(one, phase) for one in repeated])
        if finding is None:
            continue
        tested.append(finding)
        if finding.answer is Answer.FAILED and (worst is None or worst.answer is not Answer.FAILED):
            worst = finding
    if worst is not None:
        return worst
    return tested[0] if tested else Finding(check=check, answer=Answer.UNTESTED, sentence="No phase took any time.")


def _faster(name: str, fresh_s: Sequence[float], repeated_s: Sequence[float]) -> Finding | None:
    """None for what is too short to be told from noise."""
    middle, fastest = median(fresh_s), min(fresh_s)
    if middle < SHORT_S and name != "generation":
        return None
    if middle <= 0:
        return None
    noise = (middle - fastest) / fastest if fastest > 0 else 1.0
    threshold = max(FLOOR, TIMES_NOISE * noise)
    undisturbed = [each for each in repeated_s if each <= fastest * (1 + max(threshold, SLOWED))]
    slowest = max(undisturbed or repeated_s)
    fresh = f"{fastest:.3g} s fresh at the fastest of {len(fresh_s)}"
    times = f"{name} takes {slowest:.3g} s repeated in one process and {fresh}"
    bound = f"threshold {threshold:.0%} of that, the median fresh one is {noise:.0%} above"
    if threshold >= NO_TEST:
        answer, sentence = Answer.UNTESTED, f"Fresh executions vary too much: {times} ({bound})."
    elif not undisturbed:
        answer, sentence = (
            Answer.UNTESTED,
            f"What slowed the repetition may hide that something is kept: {times} ({bound}).",
        )
    elif slowest < fastest * (1 - threshold):
        answer, sentence = Answer.FAILED, f"Something is kept that should be computed: {times} ({bound})."
    else:
        answer, sentence = Answer.PASSED, f"{times[0].upper()}{times[1:]} ({bound})."
    return Finding(check=Check.NOTHING_KEPT, answer=answer, sentence=sentence, threshold=threshold, noise=noise)


def _time(execution: Execution, phase: Phase | None) -> float:
    return execution.total_s if phase is None else execution.phases_s.get(phase, 0.0)


def _name(phase: Phase) -> str:
    return f"phase {phase.value}"


def _difference(one: Execution, other: Execution) -> str | None:
    differing = []
    if None not in (one.latent_sha256, other.latent_sha256) and one.latent_sha256 != other.latent_sha256:
        differing.append("latents")
    if one.frames_sha256 != other.frames_sha256:
        differing.append("frames")
    return " and the ".join(differing) or None


def _kinds(one: Execution, other: Execution) -> str:
    return "frames" if one.latent_sha256 is None or other.latent_sha256 is None else "latent and frames"


def _sentence(clauses: Sequence[str]) -> str:
    text = "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}."
