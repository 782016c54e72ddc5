"""The machine's own rate of arithmetic: the largest square matrix product that about a second allows for.

What a case achieves is set against it. Imported by the MLX engine alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import mlx.core as mx

from ltxbench.run.records import MatmulRate

BUDGET_S = 1.0
SMALLEST, LARGEST = 256, 8192
SAMPLES = 5
SAMPLE_S = 0.02
"""A sample is as many products in a row as take this long, so that starting and awaiting them costs next to nothing."""

Multiply = Callable[[int], object]
"""multiply(count) computes that many products, one after the other, and returns when they are done."""


def measure_matmul(dtype: mx.Dtype, budget_s: float = BUDGET_S) -> MatmulRate:
    """The median rate of products in `dtype` on the default device, which nothing else should be using."""
    rate = rate_of(lambda size: products(size, dtype), time.perf_counter, budget_s)
    return rate.model_copy(update={"dtype": str(dtype).removeprefix("mlx.core.")})


def products(size: int, dtype: mx.Dtype) -> Callable[[int], mx.array]:
    """multiply(count) is factor ** count @ start.

    Each product takes the one before, so that they cannot run side by side and need no memory of their own.
    """
    key_a, key_b = mx.random.split(mx.random.key(0))
    # The spread makes the product's entries as large as those of the factor on its right.
    spread = (3 / size) ** 0.5
    factor = mx.random.uniform(-spread, spread, (size, size), key=key_a).astype(dtype)
    start = mx.random.uniform(-1, 1, (size, size), key=key_b).astype(dtype)
    mx.eval(factor, start)

    def multiply(count: int) -> mx.array:
        product = start
        for _ in range(count):
            product = factor @ product
        mx.eval(product)
        mx.synchronize()
        return product

    return multiply


def rate_of(make: Callable[[int], Multiply], clock: Callable[[], float], budget_s: float) -> MatmulRate:
    """Doubles the size while SAMPLES products of the next one fit the budget, then spends the budget on that size.

    Finding the size has warmed up the device.
    """
    size = SMALLEST
    while True:
        multiply = make(size)
        multiply(1)
        product_s = _timed(multiply, 1, clock)
        # Twice the size is eight times the work.
        if size >= LARGEST or 8 * product_s * SAMPLES > budget_s:
            break
        size *= 2
    count = max(1, round(SAMPLE_S / max(product_s, 1e-6)))
    samples: list[float] = []
    ends_s = clock() + budget_s
    while len(samples) < SAMPLES or clock() < ends_s:
        samples.append(_timed(multiply, count, clock) / count)
    return MatmulRate(flops_per_s=2 * size**3 / median(samples), size=size, samples=len(samples))


def _timed(multiply: Multiply, count: int, clock: Callable[[], float]) -> float:
    start_s = clock()
    multiply(count)
    return clock() - start_s
