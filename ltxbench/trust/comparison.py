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
from ltxbench.trust.drift import case_drift
from ltxbench.trust.reasons import Code, Grade, Reason
from ltxbench.trust.samples import ENERGY, MEMORY, Metric, by_round, time_metrics, unhindered
from ltxbench.trust.verdict import CaseVerdict, Verdict, run_verdict
from ltxbench.trust.wording import measured, signed, told


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
            (index, pair, _series(pair, metric, paired=paired))
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


def _series(pair: _Pair, metric: Metric, *, paired: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Samples of both sides; paired, of the rounds that both have."""
    old, new = (by_round(rounds, metric) for rounds in pair.rounds)
    if paired:
        common = [number for number in old if number in new]
        return tuple(old[number] for number in common), tuple(new[number] for number in common)
    return tuple(old.values()), tuple(new.values())


def _answer(
    pair: _Pair,
    metric: Metric,
    series: tuple[tuple[float, ...], tuple[float, ...]],
    found: Comparison | None,
    *,
    paired: bool,
) -> MetricComparison:
    old_s, new_s = (median(each) if each else None for each in series)

    def answer(result: Result, sentence: str) -> MetricComparison:
        return MetricComparison(metric.name, metric.title, result, sentence, old_s, new_s, found)

    if not all(series):
        sides = [name for name, each in zip((pair.old, pair.new), series, strict=True) if not each]
        return answer(Result.MISSING, f"no sample of {' and '.join(sides)}")
    if pair.separated:
        return answer(Result.NOT_COMPARABLE, "; ".join(each.sentence for each in pair.separated))
    assert found is not None
    failed = [f"{verdict.name} is INVALID: {reason.sentence}" for verdict, reason in _withholding(pair)]
    if failed:
        return answer(Result.INCONCLUSIVE, f"{measured(found)}, but {failed[0]}")
    if found.answer is not Answer.INCONCLUSIVE and (excuse := _excuse(pair, metric, found, paired=paired)):
        return answer(Result.INCONCLUSIVE, excuse)
    return answer(Result(found.answer.value), told(found))


def _withholding(pair: _Pair) -> list[tuple[CaseVerdict, Reason]]:
    """Failures that leave no answer. A drift has its own measure: it is set against the difference."""
    drifts = (Code.DRIFTING, Code.UNSTEADY)
    return [
        (verdict, reason)
        for verdict in pair.verdicts
        for reason in verdict.reasons
        if reason.grade is Grade.FAILURE and reason.code not in drifts
    ]


def _excuse(pair: _Pair, metric: Metric, found: Comparison, *, paired: bool) -> str | None:
    """A difference no larger than the sides' own drift is not told from it, and neither is the lack of one.

    Code that changed shows in the fastest steps too, by half the threshold at least. A series' median, and its sum,
    move by at most as much as the series itself does. What all cases of a round share is no excuse where they are
    compared round by round.
    """
    if not metric.denoises or found.ratio is None:
        return None
    if found.answer in (Answer.FASTER, Answer.SLOWER):
        old, new = (median(each) for each in _series(pair, unhindered(metric), paired=paired))
        if old > 0 and (new / old - 1) * (found.ratio - 1) < found.threshold / 2 * abs(found.ratio - 1):
            return f"{measured(found)}, but {signed(new / old - 1)} with every step as fast as its round's fastest"
    drifts = [case_drift(rounds) for rounds in pair.rounds]
    if paired or metric.stage is not None:
        drifts = [each.within(metric.stage) for each in drifts]
    total = sum(each.size for each in drifts)
    if total == 0 or max(found.ratio, 1 / found.ratio) - 1 > total + found.threshold:
        return None
    worst = [(name, each.worst) for each, name in zip(drifts, (pair.old, pair.new), strict=True)]
    who = " and ".join(f"{name} {stretch.sentence}" for name, stretch in worst if stretch is not None)
    return f"{measured(found)}, no more than drift makes: {who}"


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
