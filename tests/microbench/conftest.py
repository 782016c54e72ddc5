"""`make microbench` measures; `make test` runs everything once, small, to prove that it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.microbench.sizes import LARGEST, SMOKE, Sizes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sizes = sizes_of(metafunc.config)
    if "count" in metafunc.fixturenames:
        metafunc.parametrize("count", sizes.cases)
    if "tokens" in metafunc.fixturenames:
        metafunc.parametrize("tokens", sizes.tokens)
    if "cells" in metafunc.fixturenames:
        metafunc.parametrize("cells", sizes.latents, ids=lambda cells: "x".join(map(str, cells)))


def sizes_of(config: pytest.Config) -> Sizes:
    measuring = config.option.benchmark_enable or not config.option.benchmark_disable
    return LARGEST if measuring else SMOKE


@pytest.fixture(scope="session")
def sizes(pytestconfig: pytest.Config) -> Sizes:
    return sizes_of(pytestconfig)


@pytest.fixture
def measure(benchmark: Any, sizes: Sizes) -> Callable[..., Any]:
    """measure(function, flops=…) runs it once to warm up and then `sizes.rounds` times, and notes the rate."""

    def run(function: Callable[[], Any], *, flops: float | None = None, rounds: int | None = None) -> Any:
        result = benchmark.pedantic(function, rounds=rounds or sizes.rounds, warmup_rounds=1)
        if flops is not None:
            benchmark.extra_info["flops"] = flops
        return result

    return run
