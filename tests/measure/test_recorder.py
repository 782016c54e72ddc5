from __future__ import annotations

import pytest

from ltxbench.measure.footprint import Footprint
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run.events import FactsStated, PhaseEnded, PhaseStarted, StepEnded
from ltxbench.run.records import Phase
from tests.measure.fakes import FakeEngine, no_footprint


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def events() -> list:
    return []


@pytest.fixture
def recorder(engine, events) -> CaseRecorder:
    return CaseRecorder(engine, events.append, no_footprint)


def phases(events) -> list:
    return [event.record for event in events if isinstance(event, PhaseEnded)]


def steps(events) -> list:
    return [event.record for event in events if isinstance(event, StepEnded)]


def test_a_phase_starts_after_what_came_before_is_done_and_ends_when_its_own_work_is(recorder, engine, events):
    engine.pending_s = 5.0
    with recorder.phase(Phase.ENCODE):
        engine.now_s += 1.0
        engine.pending_s = 2.0
    (record,) = phases(events)
    assert record.start_s == 5.0
    assert record.duration_s == 3.0


def test_a_step_is_timed_across_synchronisation_on_both_sides(recorder, engine, events):
    with recorder.phase(Phase.DENOISE_1):
        engine.pending_s = 4.0
        with recorder.step(stage=1, sigma=1.0, forwards=2):
            engine.pending_s = 0.5
        with recorder.step(stage=1, sigma=0.5, forwards=2):
            engine.now_s += 0.25
    first, second = steps(events)
    assert (first.start_s, first.step_s, first.index) == (4.0, 0.5, 0)
    assert (second.start_s, second.step_s, second.index) == (4.5, 0.25, 1)
    assert (second.sigma, second.forwards, second.stage) == (0.5, 2, 1)


def test_a_step_of_an_engine_that_runs_ahead_waits_for_nothing_behind_it(recorder, engine, events):
    with recorder.phase(Phase.DENOISE_1):
        with recorder.step(stage=1, sigma=1.0, forwards=1, ahead=True):
            engine.now_s += 0.5
            engine.pending_s = 2.0  # the next step's beginning
        with recorder.step(stage=1, sigma=0.5, forwards=1, ahead=True):
            engine.now_s += 0.25
    first, second = steps(events)
    assert (first.step_s, second.start_s, second.step_s) == (0.5, 0.5, 0.25)
    assert phases(events)[0].duration_s == 2.75


def test_step_numbers_go_on_into_the_second_stage(recorder, events):
    for phase, stage in ((Phase.DENOISE_1, 1), (Phase.DENOISE_2, 2)):
        with recorder.phase(phase), recorder.step(stage=stage, sigma=1.0, forwards=1):
            pass
    assert [(step.stage, step.index) for step in steps(events)] == [(1, 0), (2, 1)]


def test_a_phase_that_occurs_twice_gives_two_records(recorder, engine, events):
    for duration_s in (1.0, 2.0):
        with recorder.phase(Phase.LOAD):
            engine.now_s += duration_s
    assert [(record.phase, record.duration_s) for record in phases(events)] == [("load", 1.0), ("load", 2.0)]


def test_the_peak_of_a_phase_that_allocates_nothing_is_what_was_there(recorder, engine, events):
    engine.allocate(700)
    with recorder.phase(Phase.ENCODE):
        engine.active = 300
    assert phases(events)[0].mlx_peak_bytes == 700


def test_the_peak_of_an_earlier_phase_does_not_leak_into_a_later_one(recorder, engine, events):
    with recorder.phase(Phase.LOAD):
        engine.allocate(100, peak=900)
    with recorder.phase(Phase.ENCODE):
        engine.allocate(200)
    assert [record.mlx_peak_bytes for record in phases(events)] == [900, 200]
    assert [record.mlx_active_bytes for record in phases(events)] == [100, 200]
    assert recorder.peak_bytes == 900


def test_the_peak_of_the_case_counts_what_happens_between_and_after_phases(recorder, engine):
    with recorder.phase(Phase.LOAD):
        engine.allocate(100)
    engine.allocate(100, peak=500)
    with recorder.phase(Phase.DECODE):
        engine.allocate(100)
    assert recorder.peak_bytes == 500
    engine.allocate(100, peak=800)
    recorder.close()
    assert recorder.peak_bytes == 800


def test_counters_that_do_not_exist_stay_absent(engine, events):
    from ltxbench.run.engine import MlxMemory

    engine.memory = MlxMemory
    recorder = CaseRecorder(engine, events.append, no_footprint)
    with recorder.phase(Phase.LOAD):
        pass
    recorder.close()
    (record,) = phases(events)
    assert record.mlx_peak_bytes is record.mlx_active_bytes is record.footprint_bytes is recorder.peak_bytes is None


def test_the_footprint_is_read_at_the_end_of_a_phase(engine, events):
    recorder = CaseRecorder(engine, events.append, lambda: Footprint(current_bytes=round(engine.now_s)))
    with recorder.phase(Phase.LOAD):
        engine.now_s += 11
    assert phases(events)[0].footprint_bytes == 111


def test_what_the_engine_states_is_passed_on(recorder, events):
    recorder.facts(dtype="float32", lora_pairs=3)
    assert events == [FactsStated(facts={"dtype": "float32", "lora_pairs": 3})]


def test_phases_do_not_nest(recorder):
    with pytest.raises(RuntimeError, match="do not nest"), recorder.phase(Phase.LOAD), recorder.phase(Phase.LORA):
        pass


def test_a_step_outside_denoising_is_refused(recorder):
    with pytest.raises(RuntimeError, match="denoising step in phase"), recorder.step(stage=1, sigma=1, forwards=1):
        pass
    with (
        pytest.raises(RuntimeError, match="denoising step in phase decode"),
        recorder.phase(Phase.DECODE),
        recorder.step(stage=1, sigma=1, forwards=1),
    ):
        pass


def test_a_step_inside_a_step_is_refused(recorder):
    with (
        pytest.raises(RuntimeError, match="inside another"),
        recorder.phase(Phase.DENOISE_1),
        recorder.step(stage=1, sigma=1, forwards=1),
        recorder.step(stage=1, sigma=1, forwards=1),
    ):
        pass


def test_a_phase_that_raises_has_no_record_and_stays_the_current_one(recorder, events):
    with pytest.raises(ZeroDivisionError), recorder.phase(Phase.UPSCALE):
        raise ZeroDivisionError
    assert recorder.current is Phase.UPSCALE
    assert [type(event) for event in events] == [PhaseStarted]


def test_a_step_of_the_warm_up_is_cold_and_leaves_the_numbers_of_the_timed_ones_alone(recorder, engine, events):
    for _ in range(2):
        with recorder.warm_up(), recorder.step(stage=1, sigma=1.0, forwards=2):
            engine.now_s += 3.0
    with recorder.phase(Phase.DENOISE_1), recorder.step(stage=1, sigma=1.0, forwards=2):
        engine.now_s += 1.0
    ended = [event for event in events if isinstance(event, StepEnded)]
    assert [(event.cold, event.record.index, event.record.step_s) for event in ended] == [
        (True, 0, 3.0),
        (True, 1, 3.0),
        (False, 0, 1.0),
    ]
    assert [record.phase for record in phases(events)] == ["warm-up", "warm-up", "denoise-1"]


def test_an_unstepped_recorder_neither_synchronises_nor_tells_of_steps_but_times_the_phase(engine, events):
    recorder = CaseRecorder(engine, events.append, no_footprint, stepped=False)
    with recorder.phase(Phase.DENOISE_1):
        for _ in range(2):
            with recorder.step(stage=1, sigma=1.0, forwards=1):
                engine.pending_s += 2.0
        assert engine.pending_s == 4.0
    assert not steps(events)
    assert phases(events)[0].duration_s == 4.0
