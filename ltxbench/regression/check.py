"""The gate: one run against its baseline, metric by metric, and a suspicion measured again before it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import log
from statistics import median

import numpy as np

import ltxbench
from ltxbench.matrix.gate import Gate, Limit, Thresholds
from ltxbench.regression import exact
from ltxbench.regression.entry import CaseEntry, Entry
from ltxbench.regression.shift import LEAST_RUNS
from ltxbench.regression.times import (
    OVERWHELMING,
    Finding,
    Group,
    Judged,
    Test,
    confirm,
    confirmed,
    judge,
    leans,
    machine_explains,
)
from ltxbench.regression.verdict import (
    Answer,
    CaseVerdict,
    MetricVerdict,
    Rerun,
    Verdict,
    exit_code,
    gravest,
)
from ltxbench.regression.windows import RUNS, Window, vanished, window
from ltxbench.statistics.values import Floats

CONTROLS = 3
Again = Callable[[Sequence[str], Sequence[str]], Entry | None]
"""Measures suspected cases once more, with controls in between; None where that is not possible."""


@dataclass(frozen=True)
class _Material:
    new: Entry
    windows: dict[str, Window]
    limits: dict[str, Thresholds]

    _timed: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)

    def timed(self, name: str, metric: str) -> tuple[Entry, ...]:
        """Of the window, the runs that have the time and are trusted in it."""
        if (name, metric) not in self._timed:
            cases = ((each, each.by_name[name]) for each in self.windows[name].entries if not each.invalid)
            self._timed[name, metric] = tuple(
                each for each, case in cases if not case.invalid and case.levels.get(metric, 0) > 0
            )
        return self._timed[name, metric]


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
    material = _Material(new, windows, {case.name: gate.of(case.name) for case in new.cases})
    times, notes = _times(material, again)
    cases = []
    for case in new.cases:
        found = windows[case.name]
        cases.append(
            CaseVerdict(
                name=case.name,
                metrics=(
                    exact.outcome(case, found.entries),
                    *(_not_compared(found) or _compared(case, material, times, pictures)),
                ),
            )
        )
    if not partial:
        cases += [CaseVerdict(name=name, metrics=(exact.gone(name),)) for name in vanished(entries, new, runs=runs)]
    return Verdict(
        ltxbench_version=ltxbench.__version__,
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        run=new.id,
        matrix=new.matrix,
        baseline=tuple(sorted({each.id for found in windows.values() for each in found.entries})),
        answer=gravest(case.answer for case in cases),
        strict=strict,
        exit_code=exit_code(cases, strict=strict),
        cases=tuple(cases),
        notes=tuple(notes),
    )


def _not_compared(found: Window) -> tuple[MetricVerdict, ...]:
    if found.entries:
        return ()
    answer = Answer.NOT_COMPARABLE if found.differs else Answer.MISSING
    text = "; ".join(found.differs) if found.differs else "the baseline has no run of it yet"
    return (MetricVerdict(metric="all", title="everything", answer=answer, sentence=text),)


def _compared(
    case: CaseEntry, material: _Material, times: dict[tuple[str, str], MetricVerdict], pictures: exact.Pictures | None
) -> tuple[MetricVerdict, ...]:
    entries, limits = material.windows[case.name].entries, material.limits[case.name]
    found = [
        *(told for (name, _), told in times.items() if name == case.name),
        *exact.memory(case, entries, limits),
        exact.frames(case, entries, limits.frames, pictures),
        exact.quality(case, entries, limits.quality),
    ]
    return tuple(each for each in found if each is not None)


def _times(material: _Material, again: Again | None) -> tuple[dict[tuple[str, str], MetricVerdict], list[str]]:
    judged = judge(_groups(material, material.new))
    suspected = {key: each.suspicion for key, each in judged.items() if each.suspicion is not None}
    reruns, controls, notes = _again(material, suspected, again)
    found: dict[tuple[str, str], MetricVerdict] = {}
    for case in material.new.cases:
        for metric in _metrics(case, material):
            key = case.name, metric
            said = _untested(case, metric, material)
            if key in judged and said.answer is Answer.SAME:
                said = _tested(said, judged[key])
                if (suspicion := suspected.get(key)) is not None:
                    said = _suspected(said, suspicion, case.name, material, reruns, controls)
            elif said.answer is Answer.SAME:
                said = _too_few(said, material, case.name, metric)
            found[key] = said
    return found, notes


def _metrics(case: CaseEntry, material: _Material) -> list[str]:
    """Times that the gate asks for and either side has."""
    entries = material.windows[case.name].entries
    names = dict.fromkeys(case.samples)
    for each in entries[-1:]:
        names |= dict.fromkeys(each.by_name[case.name].samples)
    return [name for name in names if name.endswith("_s") and _limit(material.limits[case.name], name) is not None]


def _limit(limits: Thresholds, metric: str) -> float | None:
    limit: Limit | None = limits.generation
    if metric.startswith("step_"):
        limit = limits.step
    elif metric == "load_s":
        limit = limits.load
    return None if limit == "off" else limit


def _groups(material: _Material, values: Entry) -> list[Group]:
    """The cases of each metric by the window that they share, with the new values taken from `values`."""
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for case in values.cases:
        if case.name not in material.windows or values.invalid or case.invalid:
            continue
        for metric in _metrics(case, material):
            entries = material.timed(case.name, metric)
            if case.levels.get(metric, 0) > 0 and entries:
                shared.setdefault((metric, tuple(each.id for each in entries)), []).append(case.name)
    groups = []
    for (metric, _), names in shared.items():
        entries = material.timed(names[0], metric)
        rows = [[each.by_name[name].levels[metric] for name in names] for each in entries]
        limits = [_limit(material.limits[name], metric) for name in names]
        groups.append(
            Group(
                metric=metric,
                cases=tuple(names),
                window=np.log(np.array(rows)),
                new=np.log(np.array([values.by_name[name].levels[metric] for name in names])),
                thresholds=tuple(limit for limit in limits if limit is not None),
                rates=_log_rates((*entries, values)),
            )
        )
    return groups


def _log_rates(entries: Sequence[Entry]) -> Floats | None:
    known = [each.matmul_flops_per_s for each in entries]
    return None if None in known else np.log(np.array(known, dtype=np.float64))


def _again(
    material: _Material, suspected: dict[tuple[str, str], Finding], again: Again | None
) -> tuple[tuple[Entry, ...], tuple[str, ...], list[str]]:
    """Slower and faster alike: an improvement that is none would hide the next regression. What a rerun leans to
    without settling it is measured a second time."""
    if not suspected:
        return (), (), []
    names = list(dict.fromkeys(name for name, _ in suspected))
    free = [case for case in material.new.cases if case.name not in names and material.windows[case.name].entries]
    free.sort(key=lambda case: min(case.levels.get("generation_s", float("inf")), 1e9))
    controls = tuple(case.name for case in free[:CONTROLS] if set(case.outcomes) == {"ok"})
    if again is None:
        return (), controls, [f"Suspected and not measured again: {', '.join(names)}."]
    entry = again(names, controls)
    if entry is None:
        return (), controls, [f"Suspected, and could not be measured again: {', '.join(names)}."]
    beside = f", with {', '.join(controls)} in between" if controls else ""
    reruns: tuple[Entry, ...] = (entry,)
    shown = {key: _shown(each, key[0], material, reruns, controls) for key, each in suspected.items()}
    if any(
        found is not None and leans(suspected[key], found[0]) and not confirmed(suspected[key], *found)
        for key, found in shown.items()
    ) and (second := again(names, controls)):
        reruns = (entry, second)
    ids = " and ".join(each.id for each in reruns)
    return reruns, controls, [f"Measured again as {ids}: {', '.join(names)}{beside}."]


def _shown(
    suspicion: Finding, name: str, material: _Material, reruns: Sequence[Entry], controls: Sequence[str]
) -> tuple[float, float] | None:
    """Ratio and p of the reruns together; None where they have no figure."""
    groups = [
        group
        for rerun in reruns
        for group in _groups(material, rerun)
        if group.metric == suspicion.metric and name in group.cases
    ]
    if not groups:
        return None
    alike = [group for group in groups if group.cases == groups[0].cases]
    return confirm(alike, suspicion, name, controls)


def _untested(case: CaseEntry, metric: str, material: _Material) -> MetricVerdict:
    """SAME stands for "may be tested" here."""
    entries = material.timed(case.name, metric)
    old = median(each.by_name[case.name].levels[metric] for each in entries) if entries else None
    new = case.levels.get(metric)
    said = MetricVerdict(
        metric=metric,
        title=title(metric),
        answer=Answer.SAME,
        sentence="",
        old=old,
        new=new,
        threshold=_limit(material.limits[case.name], metric),
        runs=len(entries),
    )
    reasons = (*material.new.invalid, *case.invalid)
    if old is None:
        return _answered(said, Answer.MISSING, "the baseline does not have it")
    if new is None:
        return _answered(said, Answer.INCONCLUSIVE, "this run does not have it")
    if reasons:
        return _answered(said, Answer.INCONCLUSIVE, f"this run is INVALID: {'; '.join(reasons)}")
    return said


def _too_few(said: MetricVerdict, material: _Material, name: str, metric: str) -> MetricVerdict:
    missing = LEAST_RUNS - len(material.timed(name, metric))
    if missing <= 0:
        return _answered(said, Answer.INCONCLUSIVE, "the figure is 0, and a ratio to it is nothing")
    assert said.old is not None
    assert said.new is not None
    text = f"{_change(said.new / said.old)} of {said.runs} runs; {missing} more are needed to know their noise"
    return _answered(said, Answer.INCONCLUSIVE, text)


def _tested(said: MetricVerdict, judged: Judged) -> MetricVerdict:
    now = judged.alone[0]
    low, high = now.interval
    said = said.model_copy(update={"ratio": now.ratio, "low": low, "high": high, "latest": 1, "test": now.test.value})
    interval = f"{_change(now.ratio)} of {now.runs} runs ({low:.3f} to {high:.3f})"
    if judged.same:
        best = judged.narrowest
        if best.k > 1:
            low, high = best.interval
            interval += f"; the latest {best.k} together {_change(best.ratio)} ({low:.3f} to {high:.3f})"
        return _answered(said, Answer.SAME, interval)
    return _answered(
        said, Answer.INCONCLUSIVE, f"{interval}; no change is shown, and none beyond {now.threshold:.1%} ruled out"
    )


def _suspected(
    said: MetricVerdict,
    suspicion: Finding,
    name: str,
    material: _Material,
    reruns: Sequence[Entry],
    controls: tuple[str, ...],
) -> MetricVerdict:
    low, high = suspicion.interval
    said = said.model_copy(
        update={
            "ratio": suspicion.ratio,
            "low": low,
            "high": high,
            "p": suspicion.p_adjusted,
            "latest": suspicion.k,
            "test": suspicion.test.value,
            "suspected": True,
        }
    )
    text = _evidence(suspicion)
    changed = Answer.REGRESSED if suspicion.log > 0 else Answer.IMPROVED
    sides = [material.new, *reruns]
    by_itself = bool(reruns) and all(len(each.cases) == 1 for each in reruns)
    if suspicion.test is not Test.BESIDE or by_itself:
        rates = {each.id: each.matmul_flops_per_s for each in material.timed(name, suspicion.metric)}
        slower = [machine_explains(rates, side.matmul_flops_per_s, suspicion.log) for side in sides]
        if (
            least := min((each for each in slower if each is not None), key=abs, default=None)
        ) is not None and None not in slower:
            text += f"; the machine's own arithmetic was {least:+.1%} slower, too"
            return _answered(said, Answer.INCONCLUSIVE, text)
    if not reruns:
        sure = suspicion.p_adjusted <= OVERWHELMING and abs(suspicion.log) > log(1 + 2 * suspicion.threshold)
        if sure:
            return _answered(said, changed, f"{text}; beyond doubt without a rerun")
        return _answered(said, Answer.INCONCLUSIVE, f"{text}; rerun it to know (--rerun)")
    return _rerun(said, suspicion, name, material, reruns, controls, text, changed)


def _rerun(
    said: MetricVerdict,
    suspicion: Finding,
    name: str,
    material: _Material,
    reruns: Sequence[Entry],
    controls: tuple[str, ...],
    text: str,
    changed: Answer,
) -> MetricVerdict:
    repeated = [each.by_name[name] for each in reruns if name in each.by_name]
    if any(not each.outcomes or set(each.outcomes) != {"ok"} for each in repeated):
        return _answered(said, Answer.REGRESSED, f"{text}; its rerun did not finish")
    shown = _shown(suspicion, name, material, reruns, controls)
    if shown is None:
        return _answered(said, Answer.INCONCLUSIVE, f"{text}; its rerun gave no figure")
    ratio, p = shown
    runs = tuple(each.id for each in reruns)
    told = Rerun(runs=runs, controls=controls, ratio=ratio, p=p, confirmed=confirmed(suspicion, ratio, p))
    said = said.model_copy(update={"rerun": told})
    if told.confirmed:
        return _answered(said, changed, f"{text}; measured again {_change(ratio)} (p {p:.2g})")
    return _answered(said, Answer.INCONCLUSIVE, f"{text}; measured again {_change(ratio)} (p {p:.2g}): not confirmed")


def _evidence(suspicion: Finding) -> str:
    low, high = suspicion.interval
    latest = "" if suspicion.k == 1 else f", the latest {suspicion.k} runs together"
    how = "" if suspicion.test is Test.ALONE else f", {suspicion.test.value}"
    return (
        f"{_change(suspicion.ratio)} of {suspicion.runs} runs ({low:.3f} to {high:.3f}, "
        f"p {suspicion.p_adjusted:.2g}{how}{latest})"
    )


def _change(ratio: float) -> str:
    """`5.2% slower than the level`."""
    return f"{abs(ratio - 1):.1%} {'slower' if ratio > 1 else 'faster'} than the level"


def title(metric: str) -> str:
    """`step, stage 2` of `step_2_s`."""
    if metric.startswith("step_"):
        return f"step, stage {metric.removeprefix('step_').removesuffix('_s')}"
    return metric.removesuffix("_s").replace("_", " ")


def _answered(said: MetricVerdict, answer: Answer, sentence: str) -> MetricVerdict:
    return said.model_copy(update={"answer": answer, "sentence": sentence})
