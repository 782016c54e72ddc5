from __future__ import annotations

import pytest

from ltxbench.matrix import find, load
from ltxbench.run.engine import GenerateJob, Recorder
from ltxbench.run.records import Phase
from ltxbench.weights.files import WeightFiles
from tests.microbench import overhead
from tests.microbench.overhead import ARMS, Sample, case_run, interleaved, table, timed


def test_every_arm_runs_in_every_round_and_the_first_round_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    names = {id(arm): name for name, arm in ARMS.items() if name != "again"}

    def spied(arm: object, run: object) -> Sample:
        order.append(names[id(arm)])
        return Sample(1.0, 1.0, 1.0)

    monkeypatch.setattr(overhead, "timed", spied)
    taken = interleaved(lambda recorder: None, rounds=2)
    assert {name: len(samples) for name, samples in taken.items()} == dict.fromkeys(ARMS, 2)
    off, timer, sampler = "off", "timer", "sampler"
    assert order == [off, off, timer, sampler, off, timer, sampler, off, timer, sampler, off, off]


def test_the_difference_is_that_within_each_round() -> None:
    taken = {
        "off": [Sample(1.0, 2.0, 1.0), Sample(2.0, 2.0, 1.0), Sample(4.0, 2.0, 1.0)],
        "sampler": [Sample(1.1, 2.0, 1.0, 0.1), Sample(2.2, 3.0, 1.0, 0.2), Sample(8.0, 4.0, 1.5, 0.3)],
    }
    lines = table(taken)
    row = "| sampler | 2.200 s | +10.00% | +10.0% to +100.0% | +10.00% | 3.000 s | +50.00% | 1.000 s | +0.00% |"
    assert row in lines
    assert "20.00% of the time" in lines


@pytest.mark.parametrize("arm", ARMS)
def test_a_case_runs_with_and_without_its_recorder(tiny: WeightFiles, arm: str) -> None:
    case = load(find("smoke")).cases[0].model_copy(update={"width": 64, "height": 64, "frames": 9})
    sample = timed(ARMS[arm], case_run(GenerateJob(case=case, prompt="A kite.", negative_prompt="", weights=tiny)))
    assert 0 < sample.generation_s < sample.wall_s
    assert (sample.sampler_share is not None) == (arm == "sampler")
    assert sample.sampler_share is None or 0 < sample.sampler_share < 0.1


@pytest.mark.parametrize("arm", ARMS)
def test_only_what_generates_counts_into_the_generation(arm: str) -> None:
    def run(recorder: Recorder) -> None:
        with recorder.phase(Phase.LOAD):
            pass
        assert tape.generation_s() == 0
        with recorder.phase(Phase.DECODE):
            pass

    with ARMS[arm]() as tape:
        run(tape.recorder)
    assert 0 < tape.generation_s() < 0.1
