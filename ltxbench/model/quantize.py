"""Quantization of linear layers on load: MLX's affine scheme, each group of 64 weights with a scale and an offset."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from ltxbench.matrix.case import Quantization, QuantizedLayers
from ltxbench.model.quantized_linear import prefer_unpacking

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


class QuantizationPlan:
    """Which linear layers of a model become quantized ones: every one, or those in `transformer_blocks` alone."""

    def __init__(
        self, model: nn.Module, quantization: Quantization, layers: QuantizedLayers = QuantizedLayers.ALL
    ) -> None:
        self.bits = quantization.bits
        """None: the model stays as it is."""
        self._model = model
        chosen = {
            path: module.weight.shape[1]
            for path, module in model.named_modules()
            if isinstance(module, nn.Linear) and (layers is QuantizedLayers.ALL or path.startswith(BLOCKS))
        }
        self._left = tuple(sorted(path for path, inputs in chosen.items() if inputs % GROUP_SIZE))
        self.paths = tuple(sorted(chosen.keys() - set(self._left)))
        """Of the layers to be quantized, if any is."""

    @property
    def report(self) -> QuantizationReport | None:
        """None where nothing is quantized."""
        if self.bits is None:
            return None
        return QuantizationReport(self.bits, len(self.paths), len(self._left), self._left)

    def apply(self, paths: Collection[str] | None = None) -> None:
        """Replaces those of `paths`, all when None, one after the other, and evaluates them.

        Only one layer's full weights need be in memory at a time if the model's have not been evaluated yet.
        """
        if self.bits is None:
            return
        picked = dict.fromkeys(path for path in self.paths if paths is None or path in paths)
        nn.quantize(self._model, GROUP_SIZE, self.bits, class_predicate=lambda path, _: path in picked)
        prefer_unpacking(self._model)
        replaced = dict(self._model.named_modules())
        for path in picked:
            mx.eval(replaced[path].parameters())


def quantize(
    model: nn.Module, quantization: Quantization, layers: QuantizedLayers = QuantizedLayers.ALL
) -> QuantizationReport | None:
    """Quantizes all that `layers` chooses. None for bf16, which changes nothing."""
    plan = QuantizationPlan(model, quantization, layers)
    plan.apply()
    return plan.report
