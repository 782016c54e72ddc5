"""Measures the parts of cases without loading them: arrays that are never evaluated have sizes all the same."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn

from ltxbench.matrix.case import Case, LoraUse
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.quantize import GROUP_SIZE, QuantizationPlan
from ltxbench.model.text import TextProjection
from ltxbench.model.tokenizer import MAX_TOKENS
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.run.address_space import allowed_bytes
from ltxbench.run.memory_need import PartSizes, Survey, estimate
from ltxbench.run.mlx_loading import PART_BYTES
from ltxbench.sensors.control_group import read_limits
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.source import WeightSource, open_source

FREE_MEMORY = ("free_memory", "max_recommended_working_set_size", "total_memory", "memory_size")
"""What MLX's backends call the memory that a process may use, the best figure first."""


def survey(cases: Sequence[Case], files: WeightFiles, dtype: mx.Dtype) -> Survey:
    """Raises WeightsError for files that are missing or wrong."""
    source = open_source(files)
    measured: dict[object, PartSizes] = {}
    needs = []
    for case in cases:
        decides = (case.model, case.quantization, case.quantized_layers, case.two_stage, _has_lora(case))
        if decides not in measured:
            measured[decides] = measure(case, source, dtype)
        needs.append(estimate(case, measured[decides]))
    return Survey(needs=tuple(needs), available_bytes=available_bytes())


def available_bytes() -> int | None:
    if mx.default_device().type != mx.DeviceType.gpu:
        import psutil

        allowed = allowed_bytes()
        mapped = psutil.Process().memory_info().vms  # of the libraries alone, for which most is never touched
        limits = (read_limits().memory_bytes, None if allowed is None else max(0, allowed - mapped))
        return min((int(psutil.virtual_memory().available), *(limit for limit in limits if limit is not None)))
    told = mx.device_info()
    return next((int(told[key]) for key in FREE_MEMORY if key in told), None)


def measure(case: Case, source: WeightSource, dtype: mx.Dtype) -> PartSizes:
    checkpoint = source.unified(case.model)
    gemma = source.text_encoder(dtype)
    projection = TextProjection.from_checkpoint(checkpoint, dtype)
    transformer = VideoTransformer.from_checkpoint(checkpoint, dtype)
    decoder = VideoDecoder.from_checkpoint(checkpoint, dtype)
    upscaler = LatentUpsampler.from_checkpoint(source.upscaler(), dtype) if case.two_stage else None
    config = transformer.config
    return PartSizes(
        text_encoder_bytes=_bytes(gemma.model),
        hidden_states_bytes=MAX_TOKENS * projection.features.aggregate_embed.weight.shape[1] * dtype.size,
        projection_bytes=_bytes(projection.features) + _bytes(projection.connector),
        transformer_bytes=_quantized_bytes(transformer, case),
        loading_bytes=_loading_bytes(transformer, case),
        text_bytes=2 * config.num_layers * MAX_TOKENS * config.dim * dtype.size,
        width=config.dim,
        upscaler_bytes=_bytes(upscaler.network) if upscaler else 0,
        upscaler_width=upscaler.config.mid_channels if upscaler else 0,
        decoder_bytes=_bytes(decoder.network),
        decoder_width=decoder.network.conv_out.conv.weight.shape[-1],
        itemsize=dtype.size,
        convolution_copies=6 if mx.default_device().type == mx.DeviceType.gpu else 40,
    )


def _bytes(module: nn.Module) -> int:
    return sum(array.nbytes for array in named_parameters(module).values())


def _quantized_bytes(transformer: VideoTransformer, case: Case) -> int:
    """Packed levels, and a scale and an offset for each group, in place of the matrices that the plan quantizes."""
    plan = QuantizationPlan(transformer, case.quantization, case.quantized_layers)
    total_bytes = _bytes(transformer)
    if plan.bits is None:
        return total_bytes
    layers = dict(transformer.named_modules())
    for path in plan.paths:
        weight = layers[path].weight
        total_bytes -= weight.nbytes
        total_bytes += weight.size * plan.bits // 8 + weight.size // GROUP_SIZE * 2 * weight.itemsize
    return total_bytes


def _loading_bytes(transformer: VideoTransformer, case: Case) -> int:
    """A part in full precision, and three float32 copies of the largest layer while a LoRA is added to it."""
    parameters = named_parameters(transformer).values()
    part = 0 if case.quantization.bits is None else min(PART_BYTES, _bytes(transformer))
    largest = max(array.size for array in parameters)
    return part + largest * (3 * 4 if _has_lora(case) else 4)


def _has_lora(case: Case) -> bool:
    return case.distilled_lora is not LoraUse.NONE or bool(case.loras)
