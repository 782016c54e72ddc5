"""VALID or INVALID, for a run and for each of its cases, with every reason."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from ltxbench.matrix.case import Case
from ltxbench.run.conditions import Status
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.trust.case_rules import RULES, Rounds
from ltxbench.trust.reasons import Code, Grade, Reason, failure, warning

CANARY = "canary"
"""Readings of the examination whose name holds this are the kernel canary's."""


@dataclass(frozen=True)
class CaseVerdict:
    name: str
    reasons: tuple[Reason, ...]

    @property
    def valid(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if reason.grade is Grade.FAILURE)

    @property
    def warnings(self) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if reason.grade is Grade.WARNING)

    @property
    def word(self) -> str:
        return "VALID" if self.valid else "INVALID"

    def has(self, code: Code) -> bool:
        return any(reason.code is code for reason in self.reasons)


@dataclass(frozen=True)
class Verdict:
    """Of a run. Its own reasons touch every case; a case's reasons touch that case."""

    reasons: tuple[Reason, ...]
    cases: tuple[CaseVerdict, ...]

    @property
    def valid(self) -> bool:
        """Neither the run nor any case has a failure."""
        return all(reason.grade is not Grade.FAILURE for reason in self.reasons) and all(
            case.valid for case in self.cases
        )

    @property
    def word(self) -> str:
        return "VALID" if self.valid else "INVALID"

    def of(self, name: str) -> CaseVerdict | None:
        return next((case for case in self.cases if case.name == name), None)


def case_verdict(
    rounds: tuple[CaseRecord, ...], check: CaseRecord | None = None, *, asked: int = 1, name: str = ""
) -> CaseVerdict:
    """Judges the timed rounds of one case, `asked` being how many it was to have, and its round without instruments."""
    reasons = tuple(reason for rule in RULES for reason in rule(Rounds(rounds, check, asked)))
    return CaseVerdict(name or (rounds[0].case.name if rounds else ""), reasons)


def run_verdict(run: RunFolder) -> Verdict:
    """Judges a run and each case that was asked for."""
    names = run.record.selected or tuple(case.name for case in run.record.matrix.cases)
    asked = run.record.schedule.repeats
    cases = tuple(case_verdict(run.rounds_of(name), run.check_of(name), asked=asked, name=name) for name in names)
    return Verdict(tuple(_run_reasons(run)), cases)


def _run_reasons(run: RunFolder) -> Iterator[Reason]:
    examination, record = run.record.examination, run.record
    if examination is not None:
        canary = [r for r in examination.readings if CANARY in r.name.casefold() and r.status is Status.FAILURE]
        others = [reading for reading in examination.failed if reading not in canary]
        if canary:
            what = "; ".join(f"{reading.name}: {reading.detail or reading.value or 'wrong'}" for reading in canary)
            yield failure(
                Code.CANARY,
                f"this machine computes wrongly ({what})",
                "No figure of this run means anything: try another MLX version.",
            )
        if others:
            what = "; ".join(f"{reading.name}: {reading.value or reading.detail or 'failed'}" for reading in others)
            yield failure(
                Code.DOCTOR_OVERRIDDEN,
                f"timed although the examination failed ({what})",
                "Put right what `ltxbench doctor` names and measure again.",
            )
    if record.conditioning_shared is False:
        yield warning(
            Code.CONDITIONING,
            "the cases did not encode the same text, so their pictures show different scenes",
            "Times may be compared with care, pictures and quality not.",
        )
    yield from _embeddings(run)
    yield from _noise(run)
    missing = [name for name in record.selected if len(run.rounds_of(name)) < record.schedule.repeats]
    if missing:
        yield warning(
            Code.INCOMPLETE,
            f"{len(missing)} of {len(record.selected)} cases have fewer than {record.schedule.repeats} rounds",
            "Resume the run.",
        )


def _noise(run: RunFolder) -> Iterator[Reason]:
    """Cases of one latent shape and seed must start from the same noise, at each stage that draws some."""
    apart = [
        _apart(run, "noise_sha256", lambda case: (case.seed, case.frames, _size(case, 0))),
        _apart(run, "noise_sha256_stage_2", lambda case: (case.seed, case.frames, _size(case, -1))),
    ]
    if names := [name for each in apart for name in each]:
        yield warning(
            Code.NOISE,
            f"cases of one size and seed started from different noise ({', '.join(dict.fromkeys(names))})",
            "Their pictures differ for that reason alone.",
        )


def _embeddings(run: RunFolder) -> Iterator[Reason]:
    """One text through one checkpoint's encoder gives one set of embeddings, whatever else a case does."""
    if names := _apart(run, "context_sha256", lambda case: (case.model, run.record.conditioning_sha256)):
        yield warning(
            Code.EMBEDDINGS,
            f"cases of one model were given different embeddings of the text ({', '.join(names)})",
            "Their pictures differ for that reason alone.",
        )


def _size(case: Case, stage: int) -> tuple[int, int]:
    return case.stages[stage].width, case.stages[stage].height


def _apart(run: RunFolder, fact: str, alike: Callable[[Case], Hashable]) -> tuple[str, ...]:
    """Names of cases that share `alike` and yet do not agree on a fact; what did not tell it is left out."""
    found: dict[Hashable, dict[object, list[str]]] = {}
    for record in run.records:
        if (value := record.facts.get(fact)) is not None:
            found.setdefault(alike(record.case), {}).setdefault(value, []).append(record.case.name)
    return tuple(
        dict.fromkeys(
            name for values in found.values() if len(values) > 1 for names in values.values() for name in names
        )
    )
