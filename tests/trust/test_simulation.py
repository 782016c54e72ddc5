from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ltxbench.trust.comparison import compare_runs
from ltxbench.trust.simulation.chain import through_store
from ltxbench.trust.simulation.noise import NoiseModel, ThermalRamp, Throttle, draw_rounds
from ltxbench.trust.simulation.scenarios import SCENARIOS, Scenario, Tally, as_row, simulate
from tests.trust.runs import rounds, run_of

MODEL = NoiseModel()
KNOWN = {scenario.name: scenario for scenario in SCENARIOS}


def count(name: str, pairs: int, folder: Path) -> Tally:
    return simulate(KNOWN[name], MODEL, pairs=pairs, seed=1, folder=folder)


def test_ten_thousand_pairs_without_a_difference_are_part_of_it() -> None:
    assert KNOWN["aa-runs"].pairs >= 10_000
    assert KNOWN["aa-runs"].at_most == 0.05


@pytest.mark.parametrize(("name", "pairs"), [("aa-runs", 25), ("aa-cases", 10), ("ramp-runs", 6), ("ramp-cases", 4)])
def test_what_did_not_change_is_hardly_ever_changed(name: str, pairs: int, tmp_path: Path) -> None:
    assert count(name, pairs, tmp_path).wrong <= 2


def test_a_shift_of_five_percent_is_found(tmp_path: Path) -> None:
    assert count("slower-runs", 8, tmp_path).right >= 4


def test_a_simulation_repeats_with_its_seed(tmp_path: Path) -> None:
    assert as_row(count("aa-runs", 4, tmp_path)) == as_row(count("aa-runs", 4, tmp_path))


def test_the_store_changes_nothing(tmp_path: Path) -> None:
    old, new = run_of(case=rounds(4)), run_of(case=rounds(4, factor=1.1))
    new = type(new)(new.path, new.record.model_copy(update={"id": "newer"}), new.records)
    direct = compare_runs(old, new)
    assert compare_runs(through_store(old, tmp_path), through_store(new, tmp_path)) == direct


def test_a_rate_that_is_not_kept_is_seen() -> None:
    scenario = Scenario("x", "x", 100, 5, at_most=0.05)
    assert Tally(scenario, 100, {}, wrong=5, right=0, unqualified=0).kept
    assert not Tally(scenario, 100, {}, wrong=6, right=0, unqualified=0).kept
    found = Scenario("x", "x", 100, 5, shift=0.05, at_least=0.8)
    assert not Tally(found, 100, {}, wrong=0, right=79, unqualified=0).kept


def test_the_noise_has_the_sizes_it_states() -> None:
    generator = np.random.default_rng(0)
    times = draw_rounds(MODEL, rounds=400, cases=2, steps=8, step_s=8.3, generator=generator)
    assert times.shape == (2, 400, 8)
    rounds_sd = np.log(np.median(times[..., 1:], axis=2)).std(axis=1)
    assert rounds_sd == pytest.approx([0.02, 0.02], abs=0.004)
    assert np.corrcoef(np.median(times[..., 1:], axis=2))[0, 1] > 0.3


def test_heat_only_slows() -> None:
    generator = np.random.default_rng(0)
    for shape in (ThermalRamp(), Throttle()):
        factors = np.array([shape(8, generator) for _ in range(50)])
        assert (np.diff(factors, axis=1) >= 0).all()
        assert (factors[:, 0] == 1).all()
        assert (factors[:, -1] > 1.02).all()
