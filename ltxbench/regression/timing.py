"""What is said of a run's times: one answer a case and metric, with the sentence that gives its reason."""

from __future__ import annotations

from statistics import median

from ltxbench.regression.again import Again, Reruns, measure_again
from ltxbench.regression.confirm import beyond_doubt, confirmed, machine_explains
from ltxbench.regression.entry import CaseEntry
from ltxbench.regression.material import Material
from ltxbench.regression.shift import LEAST_RUNS
from ltxbench.regression.times import Finding, Judged, Test, judge
from ltxbench.regression.verdict import Answer, MetricVerdict, Rerun


def times(material: Material, again: Again | None) -> tuple[dict[tuple[str, str], MetricVerdict], tuple[str, ...]]:
    """By case and metric, and notes on what was measured again."""
    judged = judge(material.groups(material.new))
    suspected = {key: each.suspicion for key, each in judged.items() if each.suspicion is not None}
    reruns = measure_again(material, suspected, again)
    found: dict[tuple[str, str], MetricVerdict] = {}
    for case in material.new.cases:
        for metric in material.metrics(case):
            key = case.name, metric
            said = _begun(case, metric, material)
            if (untested := _untested(said, case, material)) is not None:
                said = untested
            elif key not in judged:
                said = _too_few(said)
            else:
                said = said.model_copy(update={"old": case.levels[metric] / judged[key].alone[0].ratio})
                if key in suspected:
                    said = _suspected(said, judged[key], case.name, material, reruns)
                else:
                    said = _tested(said, judged[key])
            found[key] = said
    return found, reruns.notes


def _begun(case: CaseEntry, metric: str, material: Material) -> MetricVerdict:
    """Everything but the answer."""
    entries = material.timed(case.name, metric)
    return MetricVerdict(
        metric=metric,
        title=title(metric),
        answer=Answer.INCONCLUSIVE,
        sentence="",
        old=median(each.by_name[case.name].levels[metric] for each in entries) if entries else None,
        new=case.levels.get(metric),
        threshold=material.limit(case.name, metric),
        runs=len(entries),
    )


def _untested(said: MetricVerdict, case: CaseEntry, material: Material) -> MetricVerdict | None:
    """None where both sides have a figure that may be tested."""
    if said.old is None:
        return _answered(said, Answer.MISSING, "the baseline does not have it")
    if said.new is None:
        return _answered(said, Answer.INCONCLUSIVE, "this run does not have it")
    if reasons := (*material.new.invalid, *case.invalid):
        return _answered(said, Answer.INCONCLUSIVE, f"this run is INVALID: {'; '.join(reasons)}")
    return None


def _too_few(said: MetricVerdict) -> MetricVerdict:
    missing = LEAST_RUNS - said.runs
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


def _suspected(said: MetricVerdict, judged: Judged, name: str, material: Material, reruns: Reruns) -> MetricVerdict:
    suspicion = judged.suspicion
    assert suspicion is not None
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
    if (slower := _machine_slower(suspicion, name, material, reruns)) is not None:
        text += f"; the machine's own arithmetic was {slower:+.1%} slower, too"
        return _answered(said, Answer.INCONCLUSIVE, text)
    if reruns.entries:
        return _repeated(said, suspicion, name, material, reruns, text, changed)
    if beyond_doubt(suspicion, judged.alone[0]):
        return _answered(said, changed, f"{text}; beyond doubt without a rerun")
    return _answered(said, Answer.INCONCLUSIVE, f"{text}; rerun it to know (--rerun)")


def _machine_slower(suspicion: Finding, name: str, material: Material, reruns: Reruns) -> float | None:
    """By how much, where that explains the change in the run and in each rerun; None where it does not.

    It explains nothing of a case that is slower beside others which ran in between.
    """
    by_itself = bool(reruns.entries) and all(len(each.cases) == 1 for each in reruns.entries)
    if suspicion.test is Test.BESIDE and not by_itself:
        return None
    rates = {each.id: each.matmul_flops_per_s for each in material.timed(name, suspicion.metric)}
    sides = (material.new, *reruns.entries)
    slower = [machine_explains(rates, each.matmul_flops_per_s, suspicion.log) for each in sides]
    known = [each for each in slower if each is not None]
    return min(known, key=abs) if len(known) == len(sides) else None


def _repeated(
    said: MetricVerdict,
    suspicion: Finding,
    name: str,
    material: Material,
    reruns: Reruns,
    text: str,
    changed: Answer,
) -> MetricVerdict:
    if any(not each.outcomes or set(each.outcomes) != {"ok"} for each in reruns.cases(name)):
        return _answered(said, Answer.REGRESSED, f"{text}; its rerun did not finish")
    shown = reruns.shown(suspicion, name, material)
    if shown is None:
        return _answered(said, Answer.INCONCLUSIVE, f"{text}; its rerun gave no figure")
    ratio, p = shown
    told = Rerun(
        runs=tuple(each.id for each in reruns.entries),
        controls=reruns.controls,
        ratio=ratio,
        p=p,
        confirmed=confirmed(suspicion, ratio, p),
    )
    said = said.model_copy(update={"rerun": told})
    text += f"; measured again {_change(ratio)} (p {p:.2g})"
    if told.confirmed:
        return _answered(said, changed, text)
    return _answered(said, Answer.INCONCLUSIVE, f"{text}: not confirmed")


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
