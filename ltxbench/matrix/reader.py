"""A matrix file becomes a resolved Matrix, or a MatrixError that shows every mistake in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from ltxbench.frozen import Frozen
from ltxbench.matrix import rules
from ltxbench.matrix.case import Case, Group, Matrix, Section
from ltxbench.matrix.gate import CaseGate, Gate, Thresholds
from ltxbench.matrix.kinds import describe
from ltxbench.matrix.nodes import Mapping, Node, Scalar, parse
from ltxbench.matrix.nodes import Sequence as SequenceNode
from ltxbench.matrix.problems import Mark, Problems, did_you_mean, listed, quoted
from ltxbench.matrix.schema import (
    CASE,
    DEFAULTS,
    FILE,
    GATE,
    GATE_CASE,
    GROUP,
    SECTION,
    Fields,
    Located,
    Table,
    read_fields,
)
from ltxbench.matrix.source import Source, read_source
from ltxbench.matrix.sweep import MAX_CASES, Draft, Plan, amount, expand, plan

STILL = 12
"""The frame shown where the file names none."""

T = TypeVar("T", bound=Frozen)


def load(path: Path) -> Matrix:
    """Reads and checks a matrix file.

    Raises UsageError where there is no such file, and MatrixError with line and column for everything that is wrong
    in it, one line for each mistake.
    """
    return read(read_source(path))


def read(source: Source) -> Matrix:
    """As `load`, for a text that is in memory."""
    problems = Problems(source.path)
    root = parse(source.text, source.path)
    top = read_fields(root, FILE, problems)
    before = len(problems)
    groups = _groups(top, problems)
    known = None if "groups" in top and len(problems) > before else [group.name for group in groups]
    sections = _records(top, "sections", SECTION, Section, problems)
    drafts, defaults = _drafts(top, root.at, problems)
    cases = [_case(draft, defaults, known, problems) for draft in drafts]
    _check_names(drafts, problems)
    _check_references(drafts, defaults, problems)
    stills = _stills(top.get("stills"), cases, problems)
    gate = _gate(top, [case.name for case in cases], problems)
    _check_enhanced(top, problems)
    problems.raise_if_any()

    fields = {key: top[key].value for key in ("prompt", "enhance", "enhanced", "negative_prompt") if key in top}
    if fields.get("enhanced") is not None:
        fields["enhance"] = True
    name = top["matrix"].value
    return Matrix.model_validate(
        {
            **fields,
            "name": name,
            "title": top["title"].value if "title" in top else name,
            "groups": groups,
            "cases": cases,
            "sections": sections,
            "stills": stills,
            "gate": gate,
            "warnings": [f"{case.name}: {warning}" for case in cases for warning in rules.warnings(case)],
            "source": source.path.as_posix(),
            "source_sha256": source.sha256,
        }
    )


def _drafts(top: Fields, at: Mark, problems: Problems) -> tuple[list[Draft], Fields]:
    """The cases, axes multiplied out, and the defaults; without those that could not be read."""
    before = len(problems)
    defaults = read_fields(_node(top["defaults"]), DEFAULTS, problems) if "defaults" in top else {}
    sound = len(problems) == before
    plans: list[Plan] = []
    for node in _items(top, "cases", MAX_CASES, problems):
        before = len(problems)
        one = plan(node.at, read_fields(node, CASE, problems), problems)
        plans += [one] if len(problems) == before else []
    if "sweep" in top:
        # At the top of the file: a product of the defaults alone.
        before = len(problems)
        one = plan(top["sweep"].at, {"sweep": top["sweep"]}, problems)
        plans += [one] if len(problems) == before else []
    count = sum(one.size for one in plans)
    if count > MAX_CASES:
        largest = max(plans, key=lambda one: one.size)
        problems.add(largest.at, f"the file describes {amount(count)} cases; at most {MAX_CASES:,} are allowed")
        return [], defaults
    if not len(problems) and not plans:
        problems.add(at, "there is nothing to run; give `cases`, or a `sweep`")
    return [draft for one in plans for draft in expand(one, problems)] if sound else [], defaults


def _case(draft: Draft, defaults: Fields, groups: Sequence[str] | None, problems: Problems) -> Case:
    given = {**defaults, **draft.fields}
    case = rules.resolve(draft.name, draft.title, defaults, draft.fields)
    for mistake in rules.mistakes(case, draft.fields, given, draft.at):
        problems.add(mistake.at, mistake.message)
    if case.group is not None and groups is not None and case.group not in groups:
        allowed = f"; allowed: {', '.join(groups)}" if groups else "; declare it under `groups`"
        near = did_you_mean(case.group, groups)
        problems.add(given["group"].at, f"case `{case.name}`: there is no group {quoted(case.group)}{near}{allowed}")
    warned = " ".join(rules.warnings(case))
    return case.model_copy(update={"warning": warned}) if warned and not case.warning else case


def _check_names(drafts: Sequence[Draft], problems: Problems) -> None:
    """Names are folders, and macOS and Windows do not tell `A` from `a`."""
    first: dict[str, Draft] = {}
    for draft in drafts:
        earlier = first.setdefault(draft.name.casefold(), draft)
        if earlier is not draft:
            which = "that name" if earlier.name == draft.name else f"the name {quoted(earlier.name)}"
            problems.add(draft.at, f"case {quoted(draft.name)}: line {earlier.at.line} has a case of {which} already")


def _check_references(drafts: Sequence[Draft], defaults: Fields, problems: Problems) -> None:
    """A reference of the defaults is every case's but its own."""
    names = [draft.name for draft in drafts]
    seen: set[Mark] = set()
    for draft in drafts:
        given = {**defaults, **draft.fields}.get("reference")
        if given is None or given.value is None or given.at in seen:
            continue
        named = str(given.value)
        if named not in names:
            seen.add(given.at)
            near = did_you_mean(named, names)
            problems.add(given.at, f"`reference` names {quoted(named)}, and there is no such case{near}")
        elif "reference" in draft.fields and named == draft.name:
            problems.add(given.at, f"case `{draft.name}`: a case cannot be the reference of itself")


def _stills(given: Located | None, cases: Sequence[Case], problems: Problems) -> tuple[int, ...]:
    """The frames to show, which every case must have.

    Where the file names none: frame 12, or the middle one of the shortest video.
    """
    if not cases:
        return ()
    shortest = min(cases, key=lambda case: case.frames)
    last = shortest.frames - 1
    if given is None:
        return (STILL if shortest.frames > STILL else shortest.frames // 2,)
    assert isinstance(given.value, tuple)
    late = [str(frame) for frame in given.value if frame >= shortest.frames]
    if late:
        problems.add(
            given.at,
            f"`stills` names frame {listed(late, 'and')}, and case `{shortest.name}` has frames 0 to {last}",
        )
    return tuple(sorted(given.value))


def _check_enhanced(top: Fields, problems: Problems) -> None:
    enhanced, enhance = top.get("enhanced"), top.get("enhance")
    if enhanced and enhanced.value is not None and enhance and enhance.value is False:
        problems.add(enhanced.at, "`enhanced` would never be used with `enhance: false`; remove one of the two")


def _gate(top: Fields, names: Sequence[str], problems: Problems) -> Gate:
    """Thresholds of the whole file, and of the cases that a name or pattern stands for."""
    if "gate" not in top:
        return Gate()
    fields = read_fields(_node(top["gate"]), GATE, problems)
    cases: list[CaseGate] = []
    if (given := fields.pop("cases", None)) is not None:
        node = _node(given)
        if not isinstance(node, Mapping):
            problems.add(node.at, f"`cases` of `gate` is a mapping of names to thresholds, not {describe(node)}")
        else:
            for key, value in node.entries:
                if any(key.text == earlier.case for earlier in cases):
                    problems.add(key.at, f"{quoted(key.text)} is given twice")
                if names and not any(fnmatchcase(name, key.text) for name in names):
                    near = did_you_mean(key.text, names)
                    problems.add(key.at, f"`gate` names {quoted(key.text)}, and there is no such case{near}")
                thresholds = _thresholds(read_fields(value, GATE_CASE, problems))
                cases.append(CaseGate(case=key.text, thresholds=thresholds))
    return Gate(thresholds=_thresholds(fields), cases=tuple(cases))


def _thresholds(fields: Fields) -> Thresholds:
    values = {key: located.value for key, located in fields.items()}
    if (time := values.pop("time", None)) is not None:
        values = {"generation": time, "step": time, "load": time, **values}
    return Thresholds.model_validate(values)


def _records(top: Fields, key: str, table: Table, kind: Callable[..., T], problems: Problems) -> list[T]:
    records = []
    for node in _items(top, key, 100, problems):
        fields = read_fields(node, table, problems)
        if all(name in fields for name in table.required):
            records.append(kind(**{name: located.value for name, located in fields.items()}))
    return records


def _groups(top: Fields, problems: Problems) -> list[Group]:
    groups = _records(top, "groups", GROUP, Group, problems)
    seen: set[str] = set()
    for group in groups:
        if group.name.casefold() in seen:
            problems.add(top["groups"].at, f"`groups` has {quoted(group.name)} twice")
        seen.add(group.name.casefold())
    return groups


def _items(top: Fields, key: str, most: int, problems: Problems) -> tuple[Node, ...]:
    if key not in top:
        return ()
    node = _node(top[key])
    if not isinstance(node, SequenceNode):
        problems.add(node.at, f"`{key}` is a list, each item behind a `-`, not {describe(node)}")
        return ()
    if len(node.items) > most:
        problems.add(node.at, f"`{key}` has {len(node.items):,} items; at most {most:,} are allowed")
        return ()
    return node.items


def _node(located: Located) -> Node:
    node = located.value
    assert isinstance(node, Scalar | SequenceNode | Mapping)
    return node
