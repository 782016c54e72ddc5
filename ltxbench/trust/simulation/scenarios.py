"""The questions that the chain of conclusions is tested with, each with the rate it must keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ltxbench.statistics.values import Floats
from ltxbench.trust.comparison import CaseComparison, Result, compare_pairs, compare_runs
from ltxbench.trust.simulation.chain import Steps, make_run, through_store
from ltxbench.trust.simulation.noise import NoiseModel, Saturation, Shape, ThermalRamp, Throttle, draw_rounds, flat

STEP_S = 8.3
STEPS = 8
CHANGED = (Result.FASTER, Result.SLOWER)


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    pairs: int
    """At full length."""
    rounds: int
    shift: float = 0.0
    """Of the new side's true step time."""
    cases: int = 1
    """That share one error rate; a family counts once, by the worst of its answers."""
    within: bool = False
    """Both sides are cases of one run, compared round by round."""
    run_sd: float = 0.0
    """State of the machine that a whole run shares, as a share of its times."""
    shape: Shape = flat
    """What happens to the new side's steps."""
    stored: bool = False
    """Through files on disk."""
    at_most: float | None = None
    """Share of wrong answers that may not be exceeded."""
    at_least: float | None = None
    """Share of right answers that must be reached."""


@dataclass(frozen=True)
class Tally:
    scenario: Scenario
    pairs: int
    answers: dict[str, int]
    wrong: int
    """Changed though nothing did, or changed the other way."""
    right: int
    """Changed the way it did."""
    unqualified: int
    """Changed though nothing but the machine did, without a word about its drift."""

    @property
    def kept(self) -> bool:
        limit, floor = self.scenario.at_most, self.scenario.at_least
        return (limit is None or self.wrong <= limit * self.pairs) and (
            floor is None or self.right >= floor * self.pairs
        )


STATED_FALSE, STATED_POWER = 0.05, 0.80
RAMP, MILD, THROTTLE, HEAT = ThermalRamp(), ThermalRamp(0.02, 0.10), Throttle(), Saturation()
SCENARIOS = (
    Scenario("aa-runs", "two runs, nothing changed", 10_000, 5, at_most=STATED_FALSE),
    Scenario("aa-cases", "two cases of one run, nothing changed", 1_000, 6, within=True, at_most=STATED_FALSE),
    Scenario("aa-family", "two runs of eight cases, nothing changed", 250, 6, cases=8, at_most=STATED_FALSE),
    Scenario("slower-runs", "two runs, 5% slower", 500, 10, shift=0.05, at_least=STATED_POWER),
    Scenario("faster-runs", "two runs, 5% faster", 500, 10, shift=1 / 1.05 - 1, at_least=STATED_POWER),
    Scenario(
        "slower-cases", "two cases of one run, 5% slower", 500, 10, shift=0.05, within=True, at_least=STATED_POWER
    ),
    Scenario("ramp-runs", "two runs, the new one throttles", 500, 5, shape=RAMP, at_most=STATED_FALSE),
    Scenario(
        "ramp-cases", "two cases of one run, one throttles", 500, 6, within=True, shape=RAMP, at_most=STATED_FALSE
    ),
    Scenario("mild-runs", "two runs, the new one throttles a little", 500, 5, shape=MILD, at_most=STATED_FALSE),
    # A ramp hides that the code is faster, and never makes it slower.
    Scenario("ramp-faster", "two runs, 5% faster and throttling", 500, 5, shift=1 / 1.05 - 1, shape=RAMP, at_most=0.0),
    Scenario(
        "mild-faster",
        "two runs, 5% faster and throttling a little",
        500,
        5,
        shift=1 / 1.05 - 1,
        shape=MILD,
        at_most=0.0,
    ),
    Scenario("throttle-runs", "two runs, the new one is cut off", 500, 5, shape=THROTTLE, at_most=STATED_FALSE),
    # Slow from the first warm step on: only the first of all tells it from slower code, and is noisy.
    Scenario("heat-runs", "two runs, the new one heats up at once", 500, 5, shape=HEAT, at_most=0.10),
    Scenario(
        "heat-faster",
        "two runs, 5% faster and heating up at once",
        500,
        5,
        shift=1 / 1.05 - 1,
        shape=HEAT,
        at_most=0.0,
    ),
    Scenario("aa-days", "two runs 1% apart by themselves", 500, 5, run_sd=0.01, at_most=STATED_FALSE),
    Scenario("aa-stored", "two runs through the store, nothing changed", 40, 4, stored=True, at_most=STATED_FALSE),
)


def simulate(scenario: Scenario, model: NoiseModel, *, pairs: int, seed: int, folder: Path) -> Tally:
    """Draws `pairs` comparisons and counts their answers. `folder` takes the files of a scenario that is stored."""
    generator = np.random.Generator(np.random.Philox(key=[seed, _number(scenario.name)]))
    answers: Counter[str] = Counter()
    wrong = right = unqualified = 0
    wanted = Result.SLOWER if scenario.shift > 0 else Result.FASTER
    for family in _families(scenario, model, pairs, generator, folder):
        changed = [each for each in family if each.result in CHANGED]
        found = [each for each in changed if scenario.shift and each.result is wanted]
        answers.update(each.result.value for each in family)
        wrong += len(changed) > len(found)
        right += len(found) == len(family)
        unqualified += any(not _names_drift(each) for each in changed if each not in found)
    return Tally(scenario, pairs, dict(answers), wrong, right, unqualified)


def _families(
    scenario: Scenario, model: NoiseModel, pairs: int, generator: np.random.Generator, folder: Path
) -> Iterator[tuple[CaseComparison, ...]]:
    def draw(cases: int) -> Floats:
        return draw_rounds(model, rounds=scenario.rounds, cases=cases, steps=STEPS, step_s=STEP_S, generator=generator)

    def change(times: Floats) -> Floats:
        shapes = [scenario.shape(STEPS, generator) for _ in range(scenario.rounds)]
        return np.asarray(times * np.array(shapes) * (1 + scenario.shift))

    names = [f"case-{index + 1}" for index in range(scenario.cases)]
    for number in range(pairs):
        if scenario.within:
            old, new = draw(2)
            yield compare_pairs(make_run({"old": _steps(old), "new": _steps(change(new))}), [("old", "new")])
            continue
        sides = draw(scenario.cases), change(draw(scenario.cases))
        runs = [
            make_run(dict(zip(names, map(_steps, side), strict=True)), run_id=f"{which}-{number}")
            for which, side in zip(("old", "new"), sides, strict=True)
        ]
        if scenario.stored:
            runs = [through_store(run, folder) for run in runs]
        yield compare_runs(*runs)


def _steps(times: Floats) -> Steps:
    rows: Steps = times.tolist()
    return rows


def _names_drift(comparison: CaseComparison) -> bool:
    return any(word in text for text in comparison.qualifications for word in ("drifts by", "wanders "))


def _number(name: str) -> int:
    return int.from_bytes(name.encode()[:8], "big")


def as_row(tally: Tally) -> dict[str, object]:
    """One line of the table, JSON-ready."""
    scenario = tally.scenario
    limits = (("wrong at most", scenario.at_most), ("found at least", scenario.at_least))
    return {
        "name": scenario.name,
        "title": scenario.title,
        "pairs": tally.pairs,
        "rounds": scenario.rounds,
        "cases": scenario.cases,
        "shift": scenario.shift,
        **{result.value: tally.answers.get(result.value, 0) for result in Result},
        "wrong_rate": tally.wrong / tally.pairs,
        "right_rate": tally.right / tally.pairs if scenario.shift else None,
        "wrong_without_a_word": tally.unqualified,
        "stated": ", ".join(f"{word} {limit:.0%}" for word, limit in limits if limit is not None),
        "kept": tally.kept,
    }
