from __future__ import annotations

import os
import threading
import time

from ltxbench.run.events import EventReader, EventWriter, FactsStated, Finished, Hello, PhaseStarted
from ltxbench.run.records import Phase


def test_events_survive_any_split_of_the_bytes():
    events = [Hello(accelerator="Ä"), PhaseStarted(phase=Phase.LOAD, start_s=0.5), Finished(mlx_peak_bytes=1 << 40)]
    data = b"".join(event.model_dump_json().encode() + b"\n" for event in events)
    for size in (1, 2, 7, len(data)):
        reader = EventReader()
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        assert [event for part in parts for event in reader.feed(part)] == events
        assert reader.garbled is None


def test_a_torn_last_line_is_no_event_and_no_error():
    reader = EventReader()
    assert list(reader.feed(b'{"event": "finished"}\n{"event": "fini')) == [Finished()]
    assert reader.garbled is None


def test_nothing_is_read_after_a_line_that_is_no_event():
    reader = EventReader()
    assert list(reader.feed(b'{"event": "surprise"}\n{"event": "finished"}\n')) == []
    assert reader.garbled == '{"event": "surprise"}'
    assert list(reader.feed(b'{"event": "finished"}\n')) == []


def test_an_endless_line_is_given_up():
    reader = EventReader()
    for _ in range(5):
        assert not list(reader.feed(b"x" * (1 << 20)))
    assert "4 MiB" in reader.garbled


def test_lines_of_several_threads_do_not_mix():
    read_end, write_end = os.pipe()
    writer, reader = EventWriter(write_end), EventReader()
    texts = ["a" * 5000, "b" * 5000]

    def send(text: str) -> None:
        for _ in range(50):
            writer(FactsStated(facts={"text": text}))

    threads = [threading.Thread(target=send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    received = []
    while len(received) < 100:
        received += reader.feed(os.read(read_end, 65536))
    for thread in threads:
        thread.join()
    os.close(read_end)
    os.close(write_end)
    assert sorted(event.facts["text"] for event in received) == sorted(texts * 50)


def test_an_event_costs_the_case_less_than_a_millisecond():
    read_end, write_end = os.pipe()
    writer = EventWriter(write_end)
    durations = []
    for _ in range(200):
        begin = time.perf_counter()
        writer(PhaseStarted(phase=Phase.LOAD, start_s=1.0))
        durations.append(time.perf_counter() - begin)
        os.read(read_end, 65536)
    os.close(read_end)
    os.close(write_end)
    assert sorted(durations)[100] < 0.001
