"""The canary's kernels in MLX. Imported in a worker process alone."""

from __future__ import annotations

import os

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.doctor.canary import CanaryReport, canary
from ltxbench.doctor.canary_problems import GROUP, Array, attention_scale

TYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}


class MlxKernels:
    """Implements `ltxbench.doctor.canary.Kernels` on MLX's default device."""

    def rounded(self, values: Array, dtype: str) -> npt.NDArray[np.float32]:
        return _to_numpy(mx.array(values).astype(TYPES[dtype]))

    def run(self, kernel: str, arguments: list[Array], dtype: str) -> npt.NDArray[np.float32]:
        first, second, *rest = (
            mx.array(part).astype(TYPES[dtype]) if part.dtype == np.float32 else mx.array(part) for part in arguments
        )
        if kernel == "matmul":
            answer = first @ second
        elif kernel == "conv3d":
            answer = mx.conv3d(first, second)
        elif kernel == "attention":
            answer = mx.fast.scaled_dot_product_attention(first, second, rest[0], scale=attention_scale())
        else:
            bits = int(kernel.removeprefix("quantized"))
            answer = mx.quantized_matmul(first, second, rest[0], rest[1], transpose=True, group_size=GROUP, bits=bits)
        return _to_numpy(answer)


def mlx_canary(dtype: mx.Dtype) -> CanaryReport:
    """In the type of the computation and in float32, on the device that MLX uses."""
    on_gpu = mx.default_device().type == mx.DeviceType.gpu
    return canary(
        MlxKernels(),
        str(dtype).removeprefix("mlx.core."),
        str(mx.device_info()["device_name"]) if on_gpu else "cpu",
        # MLX's own switch; it is on unless it is set to 0.
        shortened_factors=on_gpu and os.environ.get("MLX_ENABLE_TF32", "1") != "0",
        # CUDA's packed products of many rows take 20 s each to compile, and the pipeline unpacks weights there.
        wanted=lambda problem: problem.quantized_rows <= 1 or not (on_gpu and mx.cuda.is_available()),
    )


def _to_numpy(values: mx.array) -> npt.NDArray[np.float32]:
    return np.array(values.astype(mx.float32))
