"""What a stated difference is worth: recomputed, and held against the case that does the same work without drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from ltxbench.importing.claims import Stated
from ltxbench.importing.found import Found
from ltxbench.matrix.case import Case
from ltxbench.run.records import CaseRecord, Claim
from ltxbench.trust.drift import case_drift

POINTS = 0.01
"""Beside its own rounding, a share of figures that were rounded themselves may be off by as much."""
PRACTICAL = 0.03
"""Against another case of the same work, a difference that moves by more is not the one that was stated."""
TIMES = ("average", "total")
PARTS = {"encoding": "text encoding", "denoising": "denoising", "decoding": "decoding"}


@dataclass(frozen=True)
class Side:
    found: Found
    record: CaseRecord

    @property
    def name(self) -> str:
        return f"#{self.found.number}"

    @property
    def drift(self) -> str | None:
        """How it drifts, as a clause; None where nothing is marked."""
        worst = case_drift((self.record,)).worst
        return worst.sentence if worst is not None else None

    def value(self, figure: str) -> float | None:
        quantity = self.found.profile.get(figure)
        return quantity.value if quantity is not None else None

    def words(self, figure: str) -> str:
        return str(self.found.profile.get(figure))


def qualify(stated: Stated, found: Sequence[Found], records: Mapping[int, CaseRecord]) -> Claim:
    """`records` by the case's number; a claim about a case without one stays unresolved."""
    sides = [
        Side(side, records[side.number]) if side is not None and side.number in records else None
        for side in (stated.old, stated.new)
    ]
    old, new = sides
    if old is None or new is None:
        return Claim(
            text=stated.text,
            what=stated.what,
            stated=stated.share,
            qualification="Which two cases it compares cannot be told from the source.",
        )
    before, after = old.value(stated.figure), new.value(stated.figure)
    recomputed = after / before - 1 if before and after is not None else None
    others = [Side(other, records[other.number]) for other in found if other.number in records]
    objections = list(_objections(stated, old, new, recomputed, others))
    return Claim(
        text=stated.text,
        what=stated.what,
        old=old.record.case.name,
        new=new.record.case.name,
        stated=stated.share,
        recomputed=recomputed,
        qualified=bool(objections),
        qualification=" ".join([*objections, *_basis(stated, old, new, recomputed)]),
    )


def _basis(stated: Stated, old: Side, new: Side, recomputed: float | None) -> Iterator[str]:
    if recomputed is not None:
        yield (
            f"The figures of {old.name} and {new.name} are {old.words(stated.figure)} and {new.words(stated.figure)}: "
            f"{percent(recomputed)}."
        )
    if recomputed is not None and _is_rate(stated, recomputed):
        yield f"{abs(stated.share):.0%} is the change of the rate."
    if stated.figure in TIMES:
        yield "One sample of each: no difference between them can be tested."


def _agrees(stated: Stated, share: float) -> bool:
    return abs(share - stated.share) <= POINTS + stated.rounding


def _is_rate(stated: Stated, recomputed: float) -> bool:
    """Whether "45% faster" counts steps by time: each of them takes 31% less."""
    return stated.rate and not _agrees(stated, recomputed) and _agrees(stated, 1 - 1 / (1 + recomputed))


def _objections(
    stated: Stated, old: Side, new: Side, recomputed: float | None, others: Sequence[Side]
) -> Iterator[str]:
    if recomputed is not None and not (_agrees(stated, recomputed) or _is_rate(stated, recomputed)):
        yield f"The source's own figures give {percent(recomputed)}, not {percent(stated.share)}."
    if stated.figure not in TIMES:
        return
    if stated.figure == "total":
        yield from _unlike_totals(old, new)
    drifts = {side.name: drift for side in (old, new) if (drift := side.drift) is not None}
    for this, that, is_old in ((old, new, True), (new, old, False)):
        for other in _twins(this, that, stated.figure, others):
            yield from _against(other, that, stated, recomputed, this, drifts, is_old=is_old)
    for name, drift in drifts.items():
        yield f"{name} {drift}."


def _unlike_totals(old: Side, new: Side) -> Iterator[str]:
    sides = (old, new)
    held = [[part for part in PARTS if part in side.found.profile.figures] for side in sides]
    if held[0] == held[1]:
        return
    extra = [
        f"{side.words(part)} of {PARTS[part]} is stated for {side.name} alone"
        for side, parts, others in zip(sides, held, reversed(held), strict=True)
        for part in parts
        if part not in others
    ]
    yield f"The two totals hold different work: {'; '.join(extra)}."
    shared = [part for part in held[0] if part in held[1]]
    before, after = (fsum(side.value(part) or 0.0 for part in shared) for side in sides)
    if before:
        names = " and ".join(PARTS[part] for part in shared)
        change = percent(after / before - 1)
        yield f"{names[0].upper()}{names[1:]} alone take {before:.1f} s and {after:.1f} s: {change}."


def _twins(this: Side, that: Side, figure: str, others: Sequence[Side]) -> Iterator[Side]:
    """Cases that do the same work as `this` and hold their time."""
    mine = work(this.record.case, figure)
    for other in others:
        if (
            other.found not in (this.found, that.found)
            and work(other.record.case, figure) == mine
            and other.drift is None
            and other.value(figure) is not None
        ):
            yield other


def work(case: Case, figure: str) -> tuple[object, ...]:
    """What decides how long a step takes, or all of them: other weights of one shape, or a LoRA fused, don't."""
    stages = [(stage.tokens_per_latent_frame * case.latent_frames, stage.forwards) for stage in case.stages]
    steps = [stage.steps for stage in case.stages] if figure == "total" or case.two_stage else []
    return (*stages, *steps, case.quantization)


def _against(
    other: Side,
    that: Side,
    stated: Stated,
    recomputed: float | None,
    this: Side,
    drifts: Mapping[str, str],
    *,
    is_old: bool,
) -> Iterator[str]:
    mine, theirs = other.value(stated.figure), that.value(stated.figure)
    if not mine or not theirs:
        return
    share = theirs / mine - 1 if is_old else mine / theirs - 1
    reference = recomputed if recomputed is not None else stated.share
    if abs(share - reference) <= PRACTICAL and this.name not in drifts:
        return
    old, new = (other, that) if is_old else (that, other)
    case = other.record.case
    stage = case.stages[-1]
    tokens = stage.tokens_per_latent_frame * case.latent_frames
    forwards = f"{stage.forwards} forward{'s' if stage.forwards > 1 else ''} a step"
    yield (
        f"{other.name} {other.found.title} does the same work as {this.name} ({tokens:,} tokens, {forwards}, "
        f"{case.quantization.value}) and holds its time: with it in place of {this.name} the figures are "
        f"{old.words(stated.figure)} and {new.words(stated.figure)}, {percent(share)}."
    )


def percent(share: float) -> str:
    """`17% less`, `1% less`, `no difference`; tenths below ten percent."""
    size = abs(share) * 100
    text = f"{size:.1f}" if size < 9.95 else f"{size:.0f}"
    return "no difference" if float(text) == 0 else f"{text}% {'less' if share < 0 else 'more'}"
