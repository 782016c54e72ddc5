"""The kernels' device: a CUDA GPU in bfloat16 where there is one, else the CPU in float32, by a C++ compiler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import mlx.core as mx
import pytest

from ltxbench.model.cuda import cells, rows, space
from ltxbench.model.cuda.kernel import available, kernel
from tests.model.cuda.device import Device
from tests.model.cuda.on_cpu import CpuKernel

MODULES = rows, cells, space


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    def without_kernels() -> None:
        for module in MODULES:
            monkeypatch.setattr(module, "DTYPES", ())

    if available():
        yield Device(mx.bfloat16, 5e-3, without_kernels)
        return
    if shutil.which("g++") is None:
        pytest.skip("needs g++ where there is no CUDA")
    monkeypatch.setattr(mx.fast, "cuda_kernel", CpuKernel)
    for module in MODULES:
        monkeypatch.setattr(module, "available", lambda: True)
        monkeypatch.setattr(module, "DTYPES", (mx.float32,))
    kernel.cache_clear()
    yield Device(mx.float32, 2e-6, without_kernels)
    kernel.cache_clear()
