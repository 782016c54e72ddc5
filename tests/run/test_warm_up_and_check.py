"""What a warm-up and a round without instruments leave, through the real worker."""

from __future__ import annotations

import pytest

from ltxbench.run.records import Outcome, Phase
from ltxbench.run.script import CaseScript

SCRIPT = CaseScript(steps=(2.0, 1.0, 1.5), cold=9.0, phases={Phase.ENCODE: 0.25, Phase.DECODE: 0.75, Phase.LOAD: 4.0})


def test_without_a_warm_up_the_first_step_is_the_cold_one(run_case):
    record = run_case(script=SCRIPT)
    assert [step.step_s for step in record.steps] == pytest.approx([9.0, 1.0, 1.5])
    assert record.cold_steps == ()
    assert record.times.warm_up_s is None
    assert record.times.generation_s == pytest.approx(0.25 + 11.5 + 0.75)


def test_a_warm_up_takes_the_cold_step_and_counts_in_neither_generation_nor_loading(run_case):
    record = run_case(script=SCRIPT, warm_up=True)
    assert record.outcome is Outcome.OK
    assert [step.step_s for step in record.steps] == pytest.approx([2.0, 1.0, 1.5])
    assert [step.step_s for step in record.cold_steps] == pytest.approx([9.0])
    assert record.times.generation_s == pytest.approx(0.25 + 4.5 + 0.75)
    assert record.times.load_s == pytest.approx(8.0)
    assert record.times.warm_up_s == pytest.approx(0.25 + 9.0 + 0.75)


def test_each_stage_has_a_cold_step_of_its_own(run_case, matrix):
    record = run_case(script=SCRIPT, warm_up=True, case=matrix.cases[1])
    assert [(step.stage, step.index) for step in record.cold_steps] == [(1, 0), (2, 1)]


def test_a_round_without_instruments_has_its_total_and_nothing_else(run_case):
    record = run_case(script=SCRIPT, instrumented=False)
    assert record.outcome is Outcome.OK
    assert record.times.generation_s == pytest.approx(0.25 + 11.5 + 0.75)
    assert record.steps == ()
    assert record.memory.samples == 0
    assert record.memory.sampler_cpu_s is None
    assert record.video is not None
