"""Elementwise work as one kernel where that pays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import mlx.core as mx

P = ParamSpec("P")
R = TypeVar("R")


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """`function` compiled on a GPU, as it is on a CPU.

    Compiling for a CPU starts a C++ compiler that the machine may not have, for every new shape. Shapes stay part of
    the compiled function's key: a shapeless one would keep the constants of the first call.
    """
    compiled = mx.compile(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        on_gpu = mx.default_device().type == mx.DeviceType.gpu
        return (compiled if on_gpu else function)(*args, **kwargs)

    return call
