"""The rules that one case's rounds are judged by: each looks at the records and gives its reasons, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from ltxbench.run.records import CaseRecord, Outcome
from ltxbench.statistics.drift import BLATANT, Steadiness
from ltxbench.statistics.interval import next_sample
from ltxbench.statistics.power import least_rounds
from ltxbench.statistics.values import finite
from ltxbench.trust.drift import case_drift
from ltxbench.trust.reasons import Code, Reason, failure, warning
from ltxbench.trust.samples import GENERATION, finished, samples

SWAP_BYTES = 16 << 20  # written out by the whole machine while a case ran; less is housekeeping
GAP_INTERVALS = 10
GAP_S = 1.0
"""The sampler is starved when nothing was read for longer than both: a peak of that length can be missed."""
DISAGREEMENT = 0.02
CHANCE = 0.01
"""How often a case is said to disagree by its noise alone."""
ENOUGH = 3  # rounds that show how much a total varies by itself
MIB = 1 << 20


@dataclass(frozen=True)
class Rounds:
    """What is known of one case."""

    timed: tuple[CaseRecord, ...]
    check: CaseRecord | None = None
    asked: int = 1
    """Rounds of each case that the run was to have."""


Rule = Callable[[Rounds], Iterator[Reason]]


def not_finished(case: Rounds) -> Iterator[Reason]:
    lost = [record for record in case.timed if record.outcome is not Outcome.OK]
    if not case.timed:
        yield failure(Code.NOT_FINISHED, "no round has ended", "Resume the run.")
    elif lost:
        how = ", ".join(f"round {record.round}: {record.outcome.value}" for record in lost)
        yield failure(
            Code.NOT_FINISHED,
            f"{len(lost)} of {len(case.timed)} rounds did not finish ({how})",
            "See the case's output.txt; what made some rounds fail may have slowed the others.",
        )


def swapped(case: Rounds) -> Iterator[Reason]:
    grown = {record.round: grew for record in case.timed if (grew := swapped_out_bytes(record)) is not None}
    worst = max(grown, key=grown.__getitem__, default=None)
    if worst is not None and grown[worst] > SWAP_BYTES:
        yield failure(
            Code.SWAPPED,
            f"the machine swapped out {grown[worst] / MIB:,.0f} MiB during round {worst}",
            "Close other programs, or choose a case that fits into memory.",
        )


def swapped_out_bytes(record: CaseRecord) -> int | None:
    """During the round, by the sampler's own account or from the looks before and after; None where neither knows."""
    known = [record.memory.swapped_out_bytes]
    if record.before is not None and record.after is not None:
        ends = record.before.swapped_out_bytes, record.after.swapped_out_bytes
        if ends[0] is not None and ends[1] is not None:
            known.append(ends[1] - ends[0])
    return max((value for value in known if value is not None), default=None)


def throttled(case: Rounds) -> Iterator[Reason]:
    for record in case.timed:
        for look, when in ((record.before, "before"), (record.after, "after")):
            if look is not None and look.throttled:
                why = f" ({look.throttle_reason})" if look.throttle_reason else ""
                yield failure(
                    Code.THROTTLED,
                    f"the machine reported throttling {when} round {record.round}{why}",
                    "Let it cool (--cooldown), and look at its airflow and power supply.",
                )
                return


def low_power(case: Rounds) -> Iterator[Reason]:
    looks = [look for record in case.timed for look in (record.before, record.after) if look is not None]
    if any(look.low_power for look in looks):
        yield failure(Code.LOW_POWER, "the machine was in low-power mode", "Switch it off and measure again.")
    if any(look.power_source == "battery" for look in looks):
        yield warning(Code.BATTERY, "the machine ran on its battery", "Connect it to power.")


def starved(case: Rounds) -> Iterator[Reason]:
    gaps = [
        (record.memory.longest_gap_s, record.memory.interval_s, record.round)
        for record in case.timed
        if record.memory.longest_gap_s is not None and record.memory.interval_s is not None
    ]
    gap_s, interval_s, number = max(gaps, default=(0.0, 0.0, 0))
    if gap_s > max(GAP_S, GAP_INTERVALS * interval_s):
        yield failure(
            Code.STARVED,
            f"memory was not read for {gap_s:.1f} s in round {number}, {interval_s:.2g} s being the interval",
            "The machine was too busy for the sampler: close other programs.",
        )


def disagreeing(case: Rounds) -> Iterator[Reason]:
    """The check round ran without step timer and sampler: the timed rounds must take as long."""
    check_s = case.check.times.generation_s if case.check is not None and case.check.outcome is Outcome.OK else None
    stepped = samples(case.timed, GENERATION)
    if not check_s or not stepped:
        return
    middle = median(stepped)
    if abs(middle / check_s - 1) <= DISAGREEMENT:
        return
    sentence = (
        f"{middle:.4g} s with step timer and memory sampler, {check_s:.4g} s without ({middle / check_s - 1:+.1%})"
    )
    low, high = next_sample(finite(stepped), CHANCE)
    if low <= check_s <= high or len(stepped) < ENOUGH:
        yield warning(Code.UNCONFIRMED, f"{sentence}; noise can explain it", "Measure more rounds.")
    else:
        yield failure(Code.DISAGREES, sentence, "Ask for fewer samples, or report this: timing must not cost time.")


def drifting(case: Rounds) -> Iterator[Reason]:
    """From 20% on a drift makes the figures invalid; below that it limits what follows from them."""
    worst = case_drift(case.timed).worst
    if worst is None:
        return
    code = Code.DRIFTING if worst.drift.steadiness is Steadiness.DRIFTING else Code.UNSTEADY
    grade = failure if worst.drift.size >= BLATANT else warning
    yield grade(
        code,
        worst.sentence,
        "The machine gets hot, or does something else: let it cool (--cooldown), and measure again.",
        worst.drift.size,
    )


def few_rounds(case: Rounds) -> Iterator[Reason]:
    """One round, where no more were asked for, claims nothing of its spread; two or three look as if they did."""
    count, least = len(finished(case.timed)), least_rounds(0.05, paired=False)
    advice = f"Measure with --repeats {least} or more."
    if count >= least or not count:
        return
    if max(case.asked, len(case.timed)) == 1:
        yield warning(
            Code.SINGLE_SAMPLE, "one round: its spread is not known, and no difference to it can be tested", advice
        )
        return
    rounds = f"{count} round{'s' if count > 1 else ''}"
    of = f" of {case.asked} asked for" if case.asked > count else ""
    yield failure(Code.FEW_ROUNDS, f"{rounds}{of}: no exact test of so few can find a difference", advice)


def nondeterministic(case: Rounds) -> Iterator[Reason]:
    """One seed, one machine, one version: every round must compute the same."""
    for what, found in (("latents", _facts(case, "latent_sha256")), ("frames", _frames(case))):
        if len(found) > 1:
            yield warning(
                Code.NONDETERMINISTIC,
                f"{len(found)} different {what} came out of one seed",
                "The times stand; that two runs give the same video can't be expected.",
            )
            return


def _facts(case: Rounds, name: str) -> set[object]:
    return {record.facts[name] for record in finished(_all(case)) if record.facts.get(name) is not None}


def _frames(case: Rounds) -> set[str]:
    return {record.video.frames_sha256 for record in finished(_all(case)) if record.video is not None}


def _all(case: Rounds) -> Sequence[CaseRecord]:
    return (*case.timed, case.check) if case.check is not None else case.timed


RULES: tuple[Rule, ...] = (
    not_finished,
    swapped,
    throttled,
    low_power,
    starved,
    disagreeing,
    drifting,
    few_rounds,
    nondeterministic,
)
