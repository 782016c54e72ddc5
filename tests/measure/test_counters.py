from __future__ import annotations

import pytest

from ltxbench.measure.counters import Counters, grown, grown_j, machine_counters
from ltxbench.measure.memory import MemorySampler
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run.events import MemorySampled, PhaseEnded, StepEnded
from ltxbench.run.records import Phase
from tests.measure.fakes import FakeEngine, no_footprint


class Meter:
    """Ten watts, by the engine's own clock; counts how often it is read."""

    source, resolution_s = "meter", 0.1

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.reads = engine, 0

    def read_j(self) -> float:
        self.reads += 1
        return 10 * self.engine.now_s


class Device:
    source = "device"

    def __call__(self) -> int:
        return 77


@pytest.fixture
def recorded():
    engine, events = FakeEngine(), []
    meter = Meter(engine)
    counters = Counters(device_memory=Device(), meter=meter)
    return engine, events, meter, CaseRecorder(engine, events.append, no_footprint, counters=counters)


def test_phases_and_steps_carry_their_energy_where_they_are_long_enough_for_the_meter(recorded):
    engine, events, _, recorder = recorded
    with recorder.phase(Phase.DENOISE_1):
        for step_s in (2.0, 0.1):
            with recorder.step(stage=1, sigma=1.0, forwards=1):
                engine.pending_s = step_s
    steps = [event.record.energy_j for event in events if isinstance(event, StepEnded)]
    assert steps == [pytest.approx(20.0), None]
    (phase,) = [event.record for event in events if isinstance(event, PhaseEnded)]
    assert phase.energy_j == pytest.approx(21.0)
    assert phase.device_bytes == 77
    assert recorder.last_energy_j - recorder.first_energy_j == pytest.approx(21.0)


def test_short_phases_count_into_the_generation_where_long_ones_make_up_for_them(recorded):
    engine, events, _, recorder = recorded
    for phase, phase_s in ((Phase.ENCODE, 0.1), (Phase.LOAD, 9.0), (Phase.DENOISE_1, 3.0), (Phase.DECODE, 0.2)):
        with recorder.phase(phase):
            engine.now_s += phase_s
    told = {event.record.phase: event.record.energy_j for event in events if isinstance(event, PhaseEnded)}
    assert told[Phase.ENCODE] is told[Phase.DECODE] is None
    assert recorder.generation_j() == pytest.approx(33.0)


def test_a_generation_of_nothing_but_short_phases_has_no_energy(recorded):
    engine, _, _, recorder = recorded
    assert recorder.generation_j() is None
    for _ in range(9):
        with recorder.phase(Phase.ENCODE):
            engine.now_s += 0.4
    assert recorder.generation_j() is None


def test_the_meter_is_not_read_between_steps_that_are_too_short_for_it(recorded):
    engine, _, meter, recorder = recorded
    with recorder.phase(Phase.DENOISE_1):
        before = meter.reads
        for _ in range(5):
            with recorder.step(stage=1, sigma=1.0, forwards=1):
                engine.now_s += 0.06
        assert meter.reads == before


def test_the_meter_is_read_once_a_step(recorded):
    engine, _, meter, recorder = recorded
    with recorder.phase(Phase.DENOISE_1):
        before = meter.reads
        for _ in range(5):
            with recorder.step(stage=1, sigma=1.0, forwards=1):
                engine.now_s += 1
        assert meter.reads - before == 5


def test_the_meter_is_not_read_for_what_is_warmed_up_nor_after_what_is_too_short_to_tell(recorded):
    engine, events, meter, recorder = recorded
    with recorder.warm_up():
        engine.now_s += 5
    assert meter.reads == 0
    engine.now_s += 1
    with recorder.phase(Phase.LOAD):
        engine.now_s += 0.4
    assert meter.reads == 1
    engine.now_s += 1
    with recorder.phase(Phase.LOAD):
        engine.now_s += 0.6
    assert meter.reads == 3
    told = [event.record.energy_j for event in events if isinstance(event, PhaseEnded)]
    assert told == [None, None, pytest.approx(6.0)]


def test_a_reading_serves_the_phase_that_follows_at_once(recorded):
    engine, events, meter, recorder = recorded
    for phase_s in (2.0, 3.0, 0.01):
        with recorder.phase(Phase.ENCODE):
            engine.now_s += phase_s
        engine.now_s += 0.005
    assert meter.reads == 3
    told = [event.record.energy_j for event in events if isinstance(event, PhaseEnded)]
    assert told == [pytest.approx(20.0), pytest.approx(30.0, abs=0.1), None]


def test_the_energy_of_a_case_ends_where_its_last_phase_does(recorded):
    engine, _, _, recorder = recorded
    engine.now_s += 1
    for phase, phase_s in ((Phase.DECODE, 2.0), (Phase.EXPORT, 0.3)):
        with recorder.phase(phase):
            engine.now_s += phase_s
    recorder.close()
    assert recorder.last_energy_j - recorder.first_energy_j == pytest.approx(23.0)


def test_the_reading_after_the_last_step_is_that_at_the_end_of_its_phase(recorded):
    engine, events, meter, recorder = recorded
    with recorder.phase(Phase.DENOISE_1):
        for _ in range(2):
            with recorder.step(stage=1, sigma=1.0, forwards=1):
                engine.now_s += 1
    assert meter.reads == 3
    (phase,) = [event.record for event in events if isinstance(event, PhaseEnded)]
    assert phase.energy_j == pytest.approx(20.0)


def test_twice_a_second_a_sample_carries_the_devices_own_counter(recorded):
    engine, events, _, recorder = recorded
    sampler = MemorySampler(engine, recorder, events.append, no_footprint, counters=Counters(device_memory=Device()))
    for _ in range(4):
        sampler.sample()
        engine.now_s += 0.2
    sampler.flush()
    (batch,) = [event for event in events if isinstance(event, MemorySampled)]
    assert [sample[-1] for sample in batch.samples] == [77, None, None, 77]
    assert batch.device_source == "device"


def test_what_is_not_there_is_absent(recorded):
    none = Counters()
    assert (none.device(), none.device_source(), none.swapped_out(), none.energy()) == (None,) * 4
    assert none.stretch_j(1.0, 2.0, 100.0) is None
    assert machine_counters(None).device() is None


def test_growth_is_absent_where_an_end_is_and_never_negative():
    assert (grown(3, 10), grown(10, 3), grown(None, 3), grown(3, None)) == (7, 0, None, None)
    assert (grown_j(1.0, 3.5), grown_j(2.0, 1.0), grown_j(None, 1.0)) == (2.5, None, None)
