"""The real engine: LTX-2 in MLX, on the GPU where there is one."""

from __future__ import annotations

import os
import time

import mlx.core as mx

from ltxbench.run.engine import EnhanceJob, Generated, GenerateJob, MlxMemory, Recorder, SurveyJob
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import MatmulRate, Phase

CUDA_BUFFERS = {"MLX_MAX_OPS_PER_BUFFER": "10", "MLX_MAX_MB_PER_BUFFER": "200"}
"""How much work MLX gathers before it hands it to a CUDA device; the temporaries of all of it are held until it is
done. Its defaults hold more and gain no time (docs/performance.md)."""


class MlxEngine:
    """Implements `ltxbench.run.engine.Engine`."""

    def __init__(self) -> None:
        if mx.cuda.is_available():
            for name, value in CUDA_BUFFERS.items():  # MLX reads them when it first computes
                os.environ.setdefault(name, value)
        self._on_gpu = mx.default_device().type == mx.DeviceType.gpu

    @property
    def dtype(self) -> mx.Dtype:
        """bfloat16 as published; a CPU multiplies float32 ten times faster."""
        return mx.bfloat16 if self._on_gpu else mx.float32

    def accelerator(self) -> str | None:
        if not self._on_gpu:
            return None
        return str(mx.device_info()["device_name"])

    def clock(self) -> float:
        return time.perf_counter()

    def synchronize(self) -> None:
        mx.synchronize()

    def memory(self) -> MlxMemory:
        return MlxMemory(mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory())

    def reset_peak(self) -> None:
        mx.reset_peak_memory()

    def matmul_rate(self, budget_s: float, /) -> MatmulRate:
        from ltxbench.measure.matmul import measure_matmul

        return measure_matmul(self.dtype, budget_s)

    def survey(self, job: SurveyJob) -> Survey:
        from ltxbench.run.mlx_survey import survey

        return survey(job.cases, job.weights, self.dtype)

    def enhance(self, job: EnhanceJob, recorder: Recorder) -> str:
        from ltxbench.model.enhance import Enhancer
        from ltxbench.run.mlx_loading import materialize
        from ltxbench.weights.source import open_source

        source = open_source(job.weights)
        with recorder.phase(Phase.LOAD):
            enhancer = Enhancer(source.tokenizer(), source.text_encoder(self.dtype))
            materialize(enhancer.encoder.model)
        with recorder.phase(Phase.ENHANCE):
            return enhancer(job.prompt, job.seed)

    def generate(self, job: GenerateJob, recorder: Recorder) -> Generated:
        from ltxbench.run.mlx_pipeline import generate

        recorder.facts(dtype=str(self.dtype).removeprefix("mlx.core."), device=str(mx.default_device().type.name))
        return generate(job, recorder, self.dtype)
