from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.measure.matmul import LARGEST, SAMPLES, SMALLEST, measure_matmul, products, rate_of


class Virtual:
    """A device of a given rate that starts every evaluation with a given delay, and its clock."""

    def __init__(self, flops_per_s: float, delay_s: float = 0.0) -> None:
        self.flops_per_s, self.delay_s = flops_per_s, delay_s
        self.now_s = 0.0
        self.sizes: list[int] = []

    def clock(self) -> float:
        return self.now_s

    def make(self, size: int) -> Callable[[int], None]:
        self.sizes.append(size)

        def multiply(count: int) -> None:
            self.now_s += self.delay_s + count * 2 * size**3 / self.flops_per_s

        return multiply


@pytest.mark.parametrize(
    ("flops_per_s", "size"), [(1e9, SMALLEST), (2e9, 512), (120e9, 2048), (14e12, LARGEST), (727e12, LARGEST)]
)
def test_the_size_is_the_largest_that_a_second_allows_for(flops_per_s: float, size: int) -> None:
    device = Virtual(flops_per_s)
    rate = rate_of(device.make, device.clock, budget_s=1.0)
    assert rate.size == device.sizes[-1] == size
    assert rate.flops_per_s == pytest.approx(flops_per_s)
    assert rate.samples >= SAMPLES
    assert device.now_s < 2.5


def test_the_time_to_start_an_evaluation_hardly_counts() -> None:
    device = Virtual(727e12, delay_s=1e-4)
    assert rate_of(device.make, device.clock, budget_s=1.0).flops_per_s == pytest.approx(727e12, rel=0.01)


def test_one_slow_sample_changes_nothing() -> None:
    device = Virtual(1e12)
    make = device.make

    def hiccup(size: int) -> Callable[[int], None]:
        multiply, calls = make(size), []

        def slow_once(count: int) -> None:
            multiply(count)
            calls.append(count)
            if len(calls) == 4:
                device.now_s += 0.2

        return slow_once

    assert rate_of(hiccup, device.clock, budget_s=1.0).flops_per_s == pytest.approx(1e12)


def test_products_are_really_computed_and_keep_their_size() -> None:
    multiply = products(64, mx.float32)
    start, once = (np.asarray(multiply(count), np.float64) for count in (0, 1))
    factor = once @ np.linalg.inv(start)
    assert np.asarray(multiply(3)) == pytest.approx(np.linalg.matrix_power(factor, 3) @ start, abs=1e-2)
    assert np.asarray(multiply(4)).std() == pytest.approx(start.std(), rel=0.5)


def test_the_rate_of_this_machine_is_one_that_a_machine_can_have() -> None:
    rate = measure_matmul(mx.float32, budget_s=0.02)
    assert 1e8 < rate.flops_per_s < 1e16
    assert rate.size % SMALLEST == 0
    assert rate.dtype == "float32"
