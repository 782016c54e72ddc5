"""A case's verdict in a few words for a table, and in a sentence for its own section."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ltxbench.report import format as fmt
from ltxbench.report.results import Results
from ltxbench.trust.reasons import Code, Reason
from ltxbench.trust.verdict import CaseVerdict

SEPARATOR = " · "
INVALID_MARK = "✗"


@dataclass(frozen=True)
class Finding:
    """Something that stands out in a case's pictures."""

    badge: str
    sentence: str


@dataclass(frozen=True)
class Badges:
    results: Results
    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    """By the case's name."""

    @cached_property
    def shared(self) -> tuple[Reason, ...]:
        """Reasons that every case has, in the same words: said once, they do not hide those that tell cases apart."""
        cases = self.results.verdict.cases
        if len(cases) < 2:
            return ()
        common = set.intersection(*({(r.code, r.sentence) for r in case.reasons} for case in cases))
        return tuple(reason for reason in cases[0].reasons if (reason.code, reason.sentence) in common)

    def line(self, name: str) -> str:
        """`VALID`, `VALID · single sample`, `✗ INVALID · drifting 51%`."""
        verdict = self.results.verdict_of(name)
        words = dict.fromkeys(
            [word(verdict), *map(badge, verdict.reasons), *(f.badge for f in self.findings.get(name, ()))]
        )
        return SEPARATOR.join(words)

    def own(self, name: str) -> tuple[Reason, ...]:
        """A case's reasons but for those that all cases share."""
        shared = {(reason.code, reason.sentence) for reason in self.shared}
        return tuple(r for r in self.results.verdict_of(name).reasons if (r.code, r.sentence) not in shared)

    def sentence(self, name: str, *, everything: bool = False) -> str:
        """What limits the case's figures; `everything` includes what all cases share."""
        reasons = self.results.verdict_of(name).reasons if everything else self.own(name)
        parts = [closed(reason.sentence) for reason in reasons]
        parts += [closed(finding.sentence) for finding in self.findings.get(name, ())]
        return " ".join(parts)


def word(verdict: CaseVerdict) -> str:
    return verdict.word if verdict.valid else f"{INVALID_MARK} {verdict.word}"


def badge(reason: Reason) -> str:
    """`single sample`, `drifting +19%`."""
    return reason.badge if reason.size is None else f"{reason.badge} {extent(reason)}"


def extent(reason: Reason) -> str:
    """The size of a drift as its sentence has it, so that badge and sentence never disagree."""
    stated = _SHARE.search(reason.sentence)
    return stated[0].replace("-", "−") if stated else fmt.percent(reason.size)


_SHARE = re.compile(r"[+-]?\d+(?:\.\d+)?%")


def closed(sentence: str) -> str:
    """As a sentence of its own."""
    text = sentence[:1].upper() + sentence[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def doubts(results: Results, name: str) -> str | None:
    """What a comparison that touches the case must say: `INVALID (drifting 51%)`, `drifting 8%`; None for nothing."""
    verdict = results.verdict_of(name)
    if not verdict.valid:
        return f"{verdict.word} ({', '.join(map(badge, verdict.failures))})"
    moving = [reason for reason in verdict.warnings if reason.code in (Code.DRIFTING, Code.UNSTEADY)]
    return ", ".join(map(badge, moving)) or None
