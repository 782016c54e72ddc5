from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import pytest

from ltxbench.model import device_queue
from ltxbench.model.device_queue import DeviceQueue


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[mx.array]:
    """What a queue of a GPU waits for."""
    pieces: list[mx.array] = []
    monkeypatch.setattr(device_queue, "on_gpu", lambda: True)
    monkeypatch.setattr(mx, "async_eval", lambda *arrays: None)
    monkeypatch.setattr(mx, "eval", lambda *arrays: pieces.extend(arrays))
    return pieces


def ids(arrays: list[mx.array]) -> list[int]:
    return [id(array) for array in arrays]


def test_a_queue_waits_only_for_old_pieces(waited: list[mx.array]) -> None:
    queue = DeviceQueue(depth=2)
    pieces = [mx.array(index) for index in range(5)]
    for piece in pieces:
        queue.submit(piece)
    assert ids(waited) == ids(pieces[:3])
    queue.drain()
    assert ids(waited) == ids(pieces)


def test_small_pieces_may_run_ahead_until_they_are_large_together(waited: list[mx.array]) -> None:
    queue = DeviceQueue(depth=1, spare_bytes=1000)
    small, large = [mx.zeros(100, mx.uint8) for _ in range(9)], mx.zeros(500, mx.uint8)
    for piece in small:
        queue.settle(piece)
    assert not waited
    queue.settle(large)
    assert ids(waited) == ids(small[:4])
    queue.settle(mx.zeros(2000, mx.uint8))
    assert ids(waited) == ids([*small, large])


def test_what_follows_a_piece_happens_once_it_is_computed_with_others_behind_it(waited: list[mx.array]) -> None:
    queue, seen = DeviceQueue(depth=1), list[int]()
    first, second, third = (mx.array(index) for index in range(3))
    queue.submit(first)
    queue.finish(second, then=lambda: seen.append(len(waited)))
    assert not seen
    queue.submit(third)
    assert seen == [2]
    assert ids(waited) == ids([first, second])


def test_draining_does_what_follows_the_last_piece(waited: list[mx.array]) -> None:
    queue, seen = DeviceQueue(depth=2), list[str]()
    queue.finish(mx.array(0), mx.array(1), then=lambda: seen.append("computed"))
    assert not seen
    queue.drain()
    assert seen == ["computed"]
    assert len(waited) == 2


def test_a_gpu_settles_a_piece_behind_the_next_one_and_a_cpu_at_once(waited: list[mx.array]) -> None:
    gpu, first, second = DeviceQueue(depth=1), mx.array(0), mx.array(1)
    gpu.settle(first)
    assert not waited
    gpu.settle(second)
    assert ids(waited) == ids([first])
    cpu = DeviceQueue()
    cpu._on_gpu = False
    cpu.settle(second)
    assert ids(waited) == ids([first, second])


def test_a_cpu_computes_what_is_finished_at_once_and_nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_queue, "on_gpu", lambda: False)
    monkeypatch.setattr(mx, "async_eval", lambda *arrays: pytest.fail("handed over"))
    queue, seen = DeviceQueue(), list[float]()
    total = mx.array(1.0) + mx.array(2.0)
    queue.submit(total)
    queue.finish(total, then=lambda: seen.append(total.item()))
    assert seen == [3.0]


@pytest.fixture
def memory(waited: list[mx.array], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What MLX says it holds, reading after reading; the last one again and again. Each nap lets time pass."""
    readings, now_s = [1000], [0.0]
    monkeypatch.setattr(mx, "get_active_memory", lambda: readings.pop(0) if len(readings) > 1 else readings[0])
    monkeypatch.setattr(device_queue.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(device_queue.time, "sleep", lambda nap_s: now_s.__setitem__(0, now_s[0] + nap_s))
    yield readings
    assert len(readings) == 1


@pytest.fixture
def bounded(memory: list[int]) -> DeviceQueue:
    """May hold 100 bytes beside the 1000 that were there before its first piece."""
    queue = DeviceQueue(held_bytes=100)
    queue.submit(mx.array(0))
    return queue


def test_a_piece_is_handed_over_when_late_memory_has_come_back(bounded: DeviceQueue, memory: list[int]) -> None:
    memory[:] = [1101, 1101, 1100]
    bounded.submit(mx.array(1))


def test_what_is_held_counts_from_the_lowest_that_was_seen(bounded: DeviceQueue, memory: list[int]) -> None:
    memory[:] = [900]
    bounded.submit(mx.array(1))
    memory[:] = [1001, 1000]
    bounded.submit(mx.array(2))


def test_memory_that_does_not_come_back_is_waited_for_once(bounded: DeviceQueue, memory: list[int]) -> None:
    memory[:] = [5000]
    start_s = device_queue.time.monotonic()
    bounded.submit(mx.array(1))
    waited_s = device_queue.time.monotonic() - start_s
    assert device_queue.LATE_S < waited_s < 2 * device_queue.LATE_S
    bounded.submit(mx.array(2))
    assert device_queue.time.monotonic() - start_s == waited_s


def test_a_queue_without_a_bound_does_not_look_at_memory(
    waited: list[mx.array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mx, "get_active_memory", lambda: pytest.fail("looked"))
    DeviceQueue().submit(mx.array(0))
