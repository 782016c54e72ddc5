"""How far the host runs ahead of a GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import mlx.core as mx

FEW_ROWS = 2048
"""Of all samples together: up to here a GPU is done with its work about as soon as the host has put it together."""

Then = Callable[[], None]
Submit = Callable[..., None]
"""A queue's `submit` or `submit_small`."""


def hold_back(*piece: mx.array) -> None:
    """A `Submit` without a queue: the piece goes with what is put together after it."""


def on_gpu() -> bool:
    """Whether the device computes while the host goes on."""
    return mx.default_device().type == mx.DeviceType.gpu


class DeviceQueue:
    """Hands work over piece by piece, so that the device starts at once and the memory in flight stays bounded.

    A forward that is handed over as a whole holds the temporaries of many blocks at once. Waiting for a piece that is
    `depth` submissions old costs nothing: the pieces behind it keep the device busy. More than `depth` may be ahead
    while all of them together are at most `spare_bytes`. A CPU computes at once what it is to settle or to finish, and
    is not given the rest.
    """

    def __init__(self, depth: int = 1, *, small_pieces: bool = False, spare_bytes: int = 0) -> None:
        self._depth, self._small_pieces, self._spare_bytes = depth, small_pieces, spare_bytes
        self._on_gpu = on_gpu()
        self._submitted: deque[tuple[tuple[mx.array, ...], Then | None]] = deque()

    def submit(self, *piece: mx.array) -> None:
        if self._on_gpu:
            self._hand_over(piece, None)

    def submit_small(self, *piece: mx.array) -> None:
        """As `submit`, of less work: only in a queue of small pieces, where memory counts more than the host's time."""
        if self._small_pieces:
            self.submit(*piece)

    def settle(self, *piece: mx.array) -> None:
        """As `submit`, for work that a CPU, too, is to do piece by piece."""
        if self._on_gpu:
            self._hand_over(piece, None)
        else:
            mx.eval(*piece)

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
        mx.async_eval(*piece)
        self._submitted.append((piece, then))
        while len(self._submitted) > self._depth and self._ahead_bytes() > self._spare_bytes:
            self._await_oldest()

    def _ahead_bytes(self) -> int:
        return sum(array.nbytes for piece, _ in self._submitted for array in piece)

    def _await_oldest(self) -> None:
        piece, then = self._submitted.popleft()
        mx.eval(*piece)
        if then is not None:
            then()
