"""Independent work side by side on a CPU, where MLX computes what is put on one stream in one thread."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import mlx.core as mx


def beside() -> AbstractContextManager[object]:
    """What is put together within is computed beside what precedes it; a GPU takes it in its turn."""
    if mx.default_device().type == mx.DeviceType.gpu:
        return nullcontext()
    return mx.stream(_second())


@cache
def _second() -> mx.Stream:
    return mx.new_stream(mx.Device(mx.cpu, 0))
