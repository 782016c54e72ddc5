from __future__ import annotations

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
    queue, seen = DeviceQueue(small_pieces=True), list[float]()
    total = mx.array(1.0) + mx.array(2.0)
    queue.submit(total)
    queue.submit_small(total, total)
    queue.finish(total, then=lambda: seen.append(total.item()))
    assert seen == [3.0]


def test_arrays_that_are_submitted_together_are_one_piece(waited: list[mx.array]) -> None:
    queue = DeviceQueue(depth=1)
    first, second, third = (mx.array(index) for index in range(3))
    queue.submit(first, second)
    assert not waited
    queue.submit(third)
    assert ids(waited) == ids([first, second])


@pytest.mark.parametrize("small_pieces", [False, True])
def test_small_pieces_are_handed_over_where_the_queue_is_one_of_such(
    small_pieces: bool, waited: list[mx.array], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over: list[mx.array] = []
    monkeypatch.setattr(mx, "async_eval", lambda *arrays: handed_over.extend(arrays))
    queue = DeviceQueue(depth=1, small_pieces=small_pieces)
    small, other, last = (mx.array(index) for index in range(3))
    queue.submit_small(small, other)
    queue.submit(last)
    assert ids(handed_over) == ids([small, other, last] if small_pieces else [last])
    assert ids(waited) == ids([small, other] if small_pieces else [])
