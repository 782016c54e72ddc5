from __future__ import annotations

import pytest

from ltxbench.matrix import find, load
from ltxbench.run.engine import GenerateJob
from ltxbench.weights.files import WeightFiles
from tests.microbench.overhead import case_arms, interleaved, table


def test_every_arm_runs_in_every_round_and_the_first_round_is_left_out() -> None:
    order: list[str] = []
    arms = {name: lambda name=name: order.append(name) for name in ("off", "on")}
    taken = interleaved(arms, rounds=3)
    assert {name: len(samples) for name, samples in taken.items()} == {"off": 3, "on": 3}
    assert order == ["off", "on", "on", "off", "off", "on", "on", "off"]


def test_the_difference_is_that_within_each_round() -> None:
    taken = {"off": [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)], "on": [(1.1, 1.0), (2.2, 1.0), (8.0, 1.5)]}
    assert "| on | 2.200 s | +10.00% | +10.0% to +100.0% | +10.00% | 1.000 s | +0.00% |" in table(taken)


@pytest.mark.parametrize("arm", ["off", "sampler"])
def test_a_case_runs_with_and_without_its_recorder(tiny: WeightFiles, arm: str) -> None:
    case = load(find("smoke")).cases[0].model_copy(update={"width": 64, "height": 64, "frames": 9})
    shares: list[float] = []
    case_arms(GenerateJob(case=case, prompt="A kite.", negative_prompt="", weights=tiny), shares)[arm]()
    assert len(shares) == (arm == "sampler")
    assert all(0 < share < 0.1 for share in shares)
