"""Which earlier runs a case may be compared with, and what keeps it from the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.trust.comparability import CASE_FIELD, UNDER_TEST, Effect, between_conditions

RUNS = 30
LATEST = 4
"""Runs before this one that may be tested together with it."""


@dataclass(frozen=True)
class Window:
    """The runs of a case's present segment, the oldest first."""

    entries: tuple[Entry, ...]
    differs: tuple[str, ...] = ()
    """Where there is none though the case was measured before: in what the latest one differs."""


def window(entries: Iterable[Entry], new: Entry, name: str, *, runs: int = RUNS) -> Window:
    """Of the same kind and matrix, under the same conditions, since its level was last accepted."""
    case = new.by_name[name]
    earlier = [each for each in entries if related(each, new) and name in each.by_name]
    found: list[Entry] = []
    for each in reversed(earlier):
        if not separating(each.by_name[name], case):
            found.append(each)
            if name in each.accepts or len(found) >= runs + LATEST:
                break
    if found or not earlier:
        return Window(tuple(reversed(found)))
    return Window((), separating(earlier[-1].by_name[name], case))


def related(earlier: Entry, new: Entry) -> bool:
    return (
        earlier.kind is new.kind
        and earlier.matrix == new.matrix
        and earlier.engine == new.engine
        and earlier.id != new.id
    )


def separating(old: CaseEntry, new: CaseEntry) -> tuple[str, ...]:
    """`os: 26.1, then 26.2`: the fields that keep the two from being compared."""
    found: list[str] = []
    if old.conditions != new.conditions:
        differences = between_conditions(old.conditions, new.conditions, UNDER_TEST)
        found += [each.sentence for each in differences if each.effect is Effect.SEPARATES]
    if old.settings != new.settings:
        # A setting that an older version did not know is no difference by itself.
        names = [name for name in new.settings if name in old.settings and old.settings[name] != new.settings[name]]
        found += [f"{CASE_FIELD} ({name}): {old.settings[name]}, then {new.settings[name]}" for name in names]
    return tuple(found)


def vanished(entries: Sequence[Entry], new: Entry, *, runs: int = RUNS) -> tuple[str, ...]:
    """Cases that the same machine measured before, under whatever system, and that are not there any more.

    A run that lacks a case ends the matter when all of it, or that case's absence, was accepted.
    """
    known: dict[str, None] = {}
    dropped: set[str] = set()
    earlier = [each for each in entries if related(each, new) and _same_machine(each, new)]
    for each in earlier[: -runs - 1 : -1]:
        known |= dict.fromkeys(name for name in each.by_name if name not in dropped)
        dropped |= {name for name in each.accepts if name not in each.by_name}
        if each.accepts and set(each.by_name) <= set(each.accepts):
            break
    return tuple(name for name in known if name not in new.by_name)


def _same_machine(earlier: Entry, new: Entry) -> bool:
    return earlier.machine.model_copy(update={"os": new.machine.os}) == new.machine
