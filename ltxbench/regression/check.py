"""The gate: one run against its baseline, metric by metric."""

from __future__ import annotations

from collections.abc import Sequence

from ltxbench.matrix.gate import Gate
from ltxbench.regression import exact
from ltxbench.regression.again import Again
from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.regression.material import Material
from ltxbench.regression.timing import times
from ltxbench.regression.verdict import Answer, CaseVerdict, MetricVerdict, Verdict, exit_code, gravest
from ltxbench.regression.windows import RUNS, Window, vanished, window


def check(
    entries: Sequence[Entry],
    new: Entry,
    gate: Gate | None = None,
    *,
    again: Again | None = None,
    pictures: exact.Pictures | None = None,
    partial: bool = False,
    strict: bool = False,
    runs: int = RUNS,
) -> Verdict:
    """Compares `new` with the entries before it, the oldest first; docs/regression.md has the rules.

    `gate` overrides the defaults. `again` repeats what is suspected, `pictures` compares frames where hashes differ.
    With `partial`, cases that this run was not asked for are left out instead of being missed.
    """
    gate = gate or Gate()
    windows = {case.name: window(entries, new, case.name, runs=runs) for case in new.cases}
    material = Material(new, windows, {case.name: gate.of(case.name) for case in new.cases})
    timed, notes = times(material, again)
    cases = []
    for case in new.cases:
        found = windows[case.name]
        cases.append(
            CaseVerdict(
                name=case.name,
                metrics=(
                    exact.outcome(case, found.entries),
                    *(_not_compared(found) or _compared(case, material, timed, pictures)),
                ),
            )
        )
    if not partial:
        cases += [CaseVerdict(name=name, metrics=(exact.gone(name),)) for name in vanished(entries, new, runs=runs)]
    return Verdict(
        run=new.id,
        matrix=new.matrix,
        baseline=tuple(sorted({each.id for found in windows.values() for each in found.entries})),
        answer=gravest(case.answer for case in cases),
        strict=strict,
        exit_code=exit_code(cases, strict=strict),
        cases=tuple(cases),
        notes=notes,
    )


def _not_compared(found: Window) -> tuple[MetricVerdict, ...]:
    if found.entries:
        return ()
    answer = Answer.NOT_COMPARABLE if found.differs else Answer.MISSING
    text = "; ".join(found.differs) if found.differs else "the baseline has no run of it yet"
    return (MetricVerdict(metric="all", title="everything", answer=answer, sentence=text),)


def _compared(
    case: CaseEntry, material: Material, timed: dict[tuple[str, str], MetricVerdict], pictures: exact.Pictures | None
) -> tuple[MetricVerdict, ...]:
    entries, limits = material.windows[case.name].entries, material.thresholds[case.name]
    found = [
        *(told for (name, _), told in timed.items() if name == case.name),
        *exact.memory(case, entries, limits),
        exact.frames(case, entries, limits.frames, pictures),
        exact.quality(case, entries, limits.quality),
    ]
    return tuple(each for each in found if each is not None)
