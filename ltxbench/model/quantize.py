"""Quantization of linear layers on load: MLX's affine scheme, each group of 64 weights with a scale and an offset."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from ltxbench.matrix.case import Quantization, QuantizedLayers

GROUP_SIZE = 64
BLOCKS = "transformer_blocks."


@dataclass(frozen=True)
class QuantizationReport:
    bits: int
    quantized: int
    """Linear layers that are quantized now."""
    left: int
    """Linear layers within the choice that are not: their input's width is no multiple of the group."""
    left_names: tuple[str, ...] = ()


def quantize(
    model: nn.Module, quantization: Quantization, layers: QuantizedLayers = QuantizedLayers.ALL
) -> QuantizationReport | None:
    """Replaces linear layers of `model` by quantized ones, one after the other, and evaluates them.

    `layers` is every linear layer, or those in `transformer_blocks` alone. Only one layer's full weights need be in
    memory at a time if the model's have not been evaluated yet. None for bf16, which changes nothing.
    """
    bits = quantization.bits
    if bits is None:
        return None
    chosen = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and (layers is QuantizedLayers.ALL or path.startswith(BLOCKS))
    }
    left = tuple(sorted(path for path, module in chosen.items() if module.weight.shape[1] % GROUP_SIZE))
    wanted = sorted(chosen.keys() - set(left))
    del chosen  # the layers' full weights must not outlive their replacement
    picked = frozenset(wanted)
    nn.quantize(model, GROUP_SIZE, bits, class_predicate=lambda path, _: path in picked)
    replaced = dict(model.named_modules())
    for path in wanted:
        mx.eval(replaced[path].parameters())
    return QuantizationReport(bits, len(wanted), len(left), left)
