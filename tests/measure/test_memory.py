from __future__ import annotations

import threading
import time

import pytest

from ltxbench.measure.footprint import Footprint
from ltxbench.measure.memory import MemorySampler, every
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run.events import MemorySampled
from ltxbench.run.records import Phase
from tests.measure.fakes import FakeEngine, no_footprint


def sampled(events) -> list:
    return [event for event in events if isinstance(event, MemorySampled)]


@pytest.fixture
def parts():
    engine, events = FakeEngine(), []
    recorder = CaseRecorder(engine, events.append, no_footprint)
    footprint = Footprint(current_bytes=7, peak_bytes=9, source="now", peak_source="ever")
    return engine, events, recorder, MemorySampler(engine, recorder, events.append, lambda: footprint)


def test_a_sample_carries_its_time_its_phase_and_every_counter(parts):
    engine, events, recorder, sampler = parts
    engine.active, engine.cache, engine.peak = 1, 2, 3
    sampler.sample()
    with recorder.phase(Phase.DENOISE_1):
        engine.now_s += 0.5
        engine.active = 4
        sampler.sample()
    sampler.flush()
    (batch,) = sampled(events)
    assert batch.samples == ((0.0, None, 1, 2, 3, 7, None), (0.5, Phase.DENOISE_1, 4, 2, 0, 7, None))
    assert (batch.footprint_peak_bytes, batch.footprint_peak_source) == (9, "ever")


def test_the_longest_gap_counts_from_the_start_of_the_clock(parts):
    engine, events, _, sampler = parts
    for gap_s in (0.5, 0.05, 0.3):
        engine.now_s += gap_s
        sampler.sample()
    sampler.flush()
    assert sampled(events)[-1].longest_gap_s == pytest.approx(0.5)


def test_samples_leave_in_batches_of_a_second_and_once_at_the_end(parts):
    engine, events, _, sampler = parts
    for _ in range(50):
        engine.now_s += 0.05
        sampler.sample()
    assert [len(batch.samples) for batch in sampled(events)] == pytest.approx([20, 20], abs=1)
    sampler.flush()
    assert sum(len(batch.samples) for batch in sampled(events)) == 50
    sampler.flush()
    assert len(sampled(events)) == 3


def test_a_thread_samples_while_the_work_goes_on_and_stops_with_it():
    engine, events = FakeEngine(), []
    engine.clock = time.perf_counter
    recorder = CaseRecorder(engine, events.append, no_footprint)
    sampler = MemorySampler(engine, recorder, events.append, no_footprint, interval_s=0.005)
    with sampler.running():
        time.sleep(0.1)
    count = sum(len(batch.samples) for batch in sampled(events))
    assert 5 <= count <= 22
    assert "memory-sampler" not in [thread.name for thread in threading.enumerate()]
    assert 0 < sampler.cpu_s < 0.05
    time.sleep(0.02)
    assert sum(len(batch.samples) for batch in sampled(events)) == count


def test_an_error_in_the_work_still_sends_the_samples(parts):
    _, events, _, sampler = parts
    with pytest.raises(ZeroDivisionError), sampler.running():
        raise ZeroDivisionError
    assert sampled(events)


def test_turns_that_were_missed_are_not_made_up_for():
    calls = []

    def slow() -> None:
        calls.append(time.monotonic())
        time.sleep(0.03)

    with every(0.01, slow):
        time.sleep(0.12)
    assert len(calls) <= 4
