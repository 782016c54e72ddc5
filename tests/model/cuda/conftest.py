"""The kernels' two devices: a CUDA GPU in bfloat16, and any CPU with a C++ compiler in float32."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import mlx.core as mx
import pytest

from ltxbench.model.cuda import cells, rows
from ltxbench.model.cuda.kernel import available, kernel
from tests.model.cuda.device import Device
from tests.model.cuda.on_cpu import CpuKernel


@pytest.fixture(params=["cuda", "cpu"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    def without_kernels() -> None:
        for module in (rows, cells):
            monkeypatch.setattr(module, "fits", lambda dim, dtype: False)

    if request.param == "cuda":
        if not available():
            pytest.skip("needs MLX on CUDA")
        yield Device(mx.bfloat16, 5e-3, without_kernels)
        return
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    if available():
        pytest.skip("the kernels run on the GPU")
    monkeypatch.setattr(mx.fast, "cuda_kernel", CpuKernel)
    for module in (rows, cells):
        monkeypatch.setattr(module, "available", lambda: True)
        monkeypatch.setattr(module, "DTYPES", (mx.float32,))
    kernel.cache_clear()
    yield Device(mx.float32, 2e-6, without_kernels)
    kernel.cache_clear()
