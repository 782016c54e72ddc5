"""How far the host runs ahead of a GPU."""

from __future__ import annotations

from collections import deque

import mlx.core as mx


class DeviceQueue:
    """Hands work over piece by piece, so that the device starts at once and the memory in flight stays bounded.

    A forward that is handed over as a whole holds the temporaries of many blocks at once. Waiting for a piece that is
    `depth` submissions old costs nothing: the pieces behind it keep the device busy. On a CPU it does nothing.
    """

    def __init__(self, depth: int = 1) -> None:
        self._depth = depth
        self._on_gpu = mx.default_device().type == mx.DeviceType.gpu
        self._submitted: deque[mx.array] = deque()

    def submit(self, piece: mx.array) -> None:
        if not self._on_gpu:
            return
        mx.async_eval(piece)
        self._submitted.append(piece)
        if len(self._submitted) > self._depth:
            mx.eval(self._submitted.popleft())
