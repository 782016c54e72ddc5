"""How far the host runs ahead of a GPU."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import mlx.core as mx

LATE_S, POLL_S = 0.02, 2e-5
"""How long to wait for memory to come back before what is held counts as held by others, and between two looks."""

Then = Callable[[], None]
Submit = Callable[[mx.array], None]
"""A queue's `submit`."""
Settle = Callable[[mx.array], None]
"""A queue's `settle`."""


def hold_back(piece: mx.array) -> None:
    """A `Submit` without a queue: the piece goes with what is put together after it."""


def on_gpu() -> bool:
    """Whether the device computes while the host goes on."""
    return mx.default_device().type == mx.DeviceType.gpu


class DeviceQueue:
    """Hands work over piece by piece, so that the device starts at once and the memory in flight stays bounded.

    A forward that is handed over as a whole holds the temporaries of many blocks at once. Waiting for a piece that is
    `depth` submissions old costs nothing: the pieces behind it keep the device busy. More than `depth` may be ahead
    while all of them together are at most `spare_bytes`.

    That a piece is computed does not mean that its memory is free: MLX gives it back from a thread of its own, now and
    then several pieces late. With `held_bytes`, at least what `depth` of the largest pieces hold, the next one is
    handed over only when no more is held than that, beside what was there before the first.

    A CPU computes at once what it is to settle or to finish, and is not given the rest.
    """

    def __init__(self, depth: int = 1, *, spare_bytes: int = 0, held_bytes: int | None = None) -> None:
        self._depth, self._spare_bytes, self._held_bytes = depth, spare_bytes, held_bytes
        self._others_bytes: int | None = None
        self._on_gpu = on_gpu()
        self._submitted: deque[tuple[tuple[mx.array, ...], Then | None]] = deque()

    def submit(self, piece: mx.array) -> None:
        if self._on_gpu:
            self._hand_over((piece,), None)

    def settle(self, piece: mx.array) -> None:
        """As `submit`, for work that a CPU, too, is to do piece by piece."""
        if self._on_gpu:
            self._hand_over((piece,), None)
        else:
            mx.eval(piece)

    def finish(self, *piece: mx.array, then: Then) -> None:
        """Calls `then` as soon as the piece is known to be computed: with the pieces behind it handed over, in `submit`
        or in `drain`. What it raises comes out of there.
        """
        if self._on_gpu:
            self._hand_over(piece, then)
            return
        mx.eval(*piece)
        then()

    def drain(self) -> None:
        """Waits for everything that was handed over."""
        while self._submitted:
            self._await_oldest()

    def _hand_over(self, piece: tuple[mx.array, ...], then: Then | None) -> None:
        if self._held_bytes is not None:
            self._await_memory(self._held_bytes)
        mx.async_eval(*piece)
        self._submitted.append((piece, then))
        while len(self._submitted) > self._depth and self._ahead_bytes() > self._spare_bytes:
            self._await_oldest()

    def _await_memory(self, held_bytes: int) -> None:
        active_bytes = mx.get_active_memory()
        if self._others_bytes is None or active_bytes < self._others_bytes:
            self._others_bytes = active_bytes
        latest_s = time.monotonic() + LATE_S
        while active_bytes > self._others_bytes + held_bytes:
            if time.monotonic() > latest_s:
                self._others_bytes = active_bytes - held_bytes
                return
            time.sleep(POLL_S)
            active_bytes = mx.get_active_memory()

    def _ahead_bytes(self) -> int:
        return sum(array.nbytes for piece, _ in self._submitted for array in piece)

    def _await_oldest(self) -> None:
        piece, then = self._submitted.popleft()
        mx.eval(*piece)
        if then is not None:
            then()
