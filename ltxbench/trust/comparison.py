"""Cases compared: within one run, or one case in two runs. Every answer carries what limits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from ltxbench.errors import ResultError
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.statistics.compare import ALPHA, THRESHOLD, Answer, Comparison, compare_all
from ltxbench.trust.comparability import Difference, Effect, case_settings, check_allowed, differences
from ltxbench.trust.excuses import excuse
from ltxbench.trust.reasons import Code, Reason
from ltxbench.trust.samples import ENERGY, MEMORY, Metric, by_round, series, time_metrics
from ltxbench.trust.verdict import CaseVerdict, Verdict, run_verdict
from ltxbench.trust.wording import measured, told


class Result(StrEnum):
    """statistics.Answer, and what only records can tell."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    MISSING = "missing"
    """One side has no such case, or no round of it finished."""


@dataclass(frozen=True)
class Figure:
    """A figure of both sides that no test is made of: medians over the rounds, in the unit of its name."""

    name: str
    title: str
    old: float | None
    new: float | None

    @property
    def ratio(self) -> float | None:
        return None if self.old is None or self.new is None or self.old <= 0 else self.new / self.old


@dataclass(frozen=True)
class MetricComparison:
    """One time of two cases."""

    metric: str
    title: str
    result: Result
    sentence: str
    """The answer with its figures: `5.2% slower (ratio 1.039 to 1.064, p 0.008)`."""
    old_s: float | None
    new_s: float | None
    """Medians over the rounds."""
    statistics: Comparison | None
    """None where nothing was tested."""


@dataclass(frozen=True)
class CaseComparison:
    old: str
    new: str
    """How the sides are called: a case's name, with its run's where there are two."""
    metrics: tuple[MetricComparison, ...]
    """Generation first."""
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    qualifications: tuple[str, ...]
    """Sentences that must stand beside any answer."""

    @property
    def result(self) -> Result:
        """That of generation."""
        return self.metrics[0].result if self.metrics else Result.MISSING


@dataclass(frozen=True)
class _Pair:
    """The material of one comparison."""

    old: str
    new: str
    rounds: tuple[tuple[CaseRecord, ...], tuple[CaseRecord, ...]]
    verdicts: tuple[CaseVerdict, CaseVerdict]
    metrics: tuple[Metric, ...]
    differences: tuple[Difference, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def separated(self) -> tuple[Difference, ...]:
        return tuple(each for each in self.differences if each.effect is Effect.SEPARATES)


def compare_cases(
    run: RunFolder,
    old: str,
    new: str,
    *,
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    verdict: Verdict | None = None,
) -> CaseComparison:
    """Two cases of one run, round by round. Raises ResultError for a case that the run does not have.

    verdict: of the run, where the caller has it already
    """
    return compare_pairs(run, [(old, new)], threshold=threshold, alpha=alpha, verdict=verdict)[0]


def compare_pairs(
    run: RunFolder,
    pairs: Sequence[tuple[str, str]],
    *,
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    verdict: Verdict | None = None,
) -> tuple[CaseComparison, ...]:
    """Several pairs of cases of one run, with one error rate for all. Raises ResultError, see compare_cases."""
    verdict = run_verdict(run) if verdict is None else verdict
    known = {case.name: case for case in run.record.matrix.cases}
    material = []
    for names in pairs:
        for name in names:
            if name not in known:
                raise ResultError(f"{run.path}: no case {name!r}", hint=f"Cases: {', '.join(known)}.")
        old, new = (known[name] for name in names)
        shared = {metric.name for metric in time_metrics(new)}
        settings = tuple(
            Difference(f"case ({setting})", before, after, Effect.UNDER_TEST)
            for setting, before, after in case_settings(old, new)
        )
        material.append(
            _Pair(
                old.name,
                new.name,
                (run.rounds_of(old.name), run.rounds_of(new.name)),
                (_verdict(verdict, old.name), _verdict(verdict, new.name)),
                tuple(metric for metric in time_metrics(old) if metric.name in shared),
                settings,
                tuple(reason.sentence for reason in verdict.reasons),
            )
        )
    return _compare(material, threshold, alpha, paired=True)


def compare_runs(
    old: RunFolder,
    new: RunFolder,
    *,
    threshold: float = THRESHOLD,
    alpha: float = ALPHA,
    allow: Iterable[str] = (),
    only: str | None = None,
) -> tuple[CaseComparison, ...]:
    """Every case of either run against itself in the other, with one error rate for all: Holm's, metric by metric.

    `allow` names fields that may differ (comparability.differences), `only` the one case to compare. Raises UsageError
    for an unknown field.
    """
    allow = check_allowed(allow)
    verdicts = run_verdict(old), run_verdict(new)
    remarks = tuple(
        f"{which} run: {reason.sentence}"
        for which, verdict in (("old", verdicts[0]), ("new", verdicts[1]))
        for reason in verdict.reasons
    )
    cases = {
        case.name: case
        for run in (old, new)
        for case in run.record.matrix.cases
        if _asked(run, case.name) and only in (None, case.name)
    }
    material = [
        _Pair(
            f"{old.record.id}:{name}",
            f"{new.record.id}:{name}",
            (old.rounds_of(name), new.rounds_of(name)),
            (_verdict(verdicts[0], name), _verdict(verdicts[1], name)),
            time_metrics(case),
            differences(old, new, name, allow=allow),
            remarks,
        )
        for name, case in cases.items()
    ]
    return _compare(material, threshold, alpha, paired=False)


def _asked(run: RunFolder, name: str) -> bool:
    return not run.record.selected or name in run.record.selected


def _verdict(verdict: Verdict, name: str) -> CaseVerdict:
    return verdict.of(name) or CaseVerdict(name, ())


def _compare(material: Sequence[_Pair], threshold: float, alpha: float, *, paired: bool) -> tuple[CaseComparison, ...]:
    """Metric by metric: the cases share the error rate of one."""
    metrics = {metric.name: metric for pair in material for metric in pair.metrics}
    answers: dict[tuple[int, str], MetricComparison] = {}
    for metric in metrics.values():
        both = [
            (index, pair, series(pair.rounds, metric, paired=paired))
            for index, pair in enumerate(material)
            if any(own.name == metric.name for own in pair.metrics)
        ]
        tested = [(index, pair, each) for index, pair, each in both if not pair.separated and all(each)]
        results = compare_all([each for _, _, each in tested], threshold=threshold, alpha=alpha, paired=paired)
        statistics = {index: result for (index, _, _), result in zip(tested, results, strict=True)}
        for index, pair, each in both:
            answers[index, metric.name] = _answer(pair, metric, each, statistics.get(index), paired=paired)
    return tuple(
        CaseComparison(
            pair.old,
            pair.new,
            tuple(answers[index, metric.name] for metric in pair.metrics),
            tuple(_figure(pair, metric) for metric in (*MEMORY, ENERGY)),
            pair.differences,
            _qualifications(pair),
        )
        for index, pair in enumerate(material)
    )


def _answer(
    pair: _Pair,
    metric: Metric,
    both: tuple[tuple[float, ...], tuple[float, ...]],
    found: Comparison | None,
    *,
    paired: bool,
) -> MetricComparison:
    old_s, new_s = (median(each) if each else None for each in both)

    def answer(result: Result, sentence: str) -> MetricComparison:
        return MetricComparison(metric.name, metric.title, result, sentence, old_s, new_s, found)

    if not all(both):
        sides = [name for name, each in zip((pair.old, pair.new), both, strict=True) if not each]
        return answer(Result.MISSING, f"no sample of {' and '.join(sides)}")
    if pair.separated:
        return answer(Result.NOT_COMPARABLE, "; ".join(each.sentence for each in pair.separated))
    assert found is not None
    failed = [f"{verdict.name} is INVALID: {reason.sentence}" for verdict, reason in _withholding(pair)]
    if failed:
        return answer(Result.INCONCLUSIVE, f"{measured(found)}, but {failed[0]}")
    if found.answer is not Answer.INCONCLUSIVE and (
        why := excuse((pair.old, pair.new), pair.rounds, metric, found, paired=paired)
    ):
        return answer(Result.INCONCLUSIVE, why)
    return answer(Result(found.answer.value), told(found))


ACCOUNTED = frozenset({Code.DRIFTING, Code.UNSTEADY, Code.FEW_ROUNDS})
"""Failures that leave an answer: drift is set against the difference, and the exact test knows its rounds."""


def _withholding(pair: _Pair) -> list[tuple[CaseVerdict, Reason]]:
    return [
        (verdict, reason) for verdict in pair.verdicts for reason in verdict.failures if reason.code not in ACCOUNTED
    ]


def _figure(pair: _Pair, metric: Metric) -> Figure:
    old, new = (tuple(by_round(rounds, metric).values()) for rounds in pair.rounds)
    return Figure(metric.name, metric.title, median(old) if old else None, median(new) if new else None)


def _qualifications(pair: _Pair) -> tuple[str, ...]:
    """What a reader must know beside the answer, each sentence once."""
    found = [*pair.remarks]
    for verdict, name in zip(pair.verdicts, (pair.old, pair.new), strict=True):
        found += [f"{name}: {reason.sentence}" for reason in verdict.reasons]
    found += [each.sentence for each in pair.differences if each.effect is not Effect.SEPARATES]
    return tuple(dict.fromkeys(found))


def limits(comparisons: Sequence[CaseComparison]) -> list[str]:
    """What limits the answers, each sentence once, after the names of those that it is about."""
    sides = list(dict.fromkeys(name for each in comparisons for name in (each.old, each.new)))
    about: dict[str, dict[str, None]] = {}
    for each in comparisons:
        for text in each.qualifications:
            who = next((name for name in (each.old, each.new) if text.startswith(f"{name}: ")), None)
            named = about.setdefault(text if who is None else text.removeprefix(f"{who}: "), {})
            if who is not None:
                named[who] = None
    return [f"{_all_of(sides, list(names))}{text}" for text, names in about.items()]


def _all_of(sides: Sequence[str], names: Sequence[str]) -> str:
    if len(names) == len(sides) > 2:
        return "everything compared: "
    return f"{', '.join(names)}: " if names else ""
