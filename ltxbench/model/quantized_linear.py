"""Quantized linear layers over many rows where MLX's product with packed weights is slower than unpacking them first.

On CUDA the packed product of 1,536 rows takes 3.5 times as long as the plain one (docs/performance.md), and in every
process compiles for tens of seconds. Unpacking costs one pass over the weights. Metal's packed product is kept.
"""

from __future__ import annotations

from typing import cast

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten

MANY_ROWS = 32
"""From here on the weights are unpacked; fewer rows are bound by reading the weights, which packed ones shorten."""


class UnpackingLinear(nn.QuantizedLinear):
    """nn.QuantizedLinear that unpacks its weights into its scales' type for MANY_ROWS or more rows."""

    @classmethod
    def of(cls, layer: nn.QuantizedLinear) -> UnpackingLinear:
        """Takes over the parameters of `layer`, without a copy."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.group_size, made.bits, made.mode = layer.group_size, layer.bits, layer.mode
        for name, parameter in layer.parameters().items():
            made[name] = parameter
        made.freeze()
        return made

    def __call__(self, x: mx.array) -> mx.array:
        if x.size // x.shape[-1] < MANY_ROWS:
            return cast("mx.array", super().__call__(x))
        weight = mx.dequantize(
            self.weight, self.scales, self.get("biases"), group_size=self.group_size, bits=self.bits, mode=self.mode
        ).T
        return mx.addmm(self.bias, x, weight) if "bias" in self else x @ weight


def unpacks() -> bool:
    """Whether that is faster on the device in use."""
    return mx.default_device().type == mx.DeviceType.gpu and mx.cuda.is_available()


def prefer_unpacking(model: nn.Module) -> None:
    """Exchanges the quantized linear layers of `model` where unpacking is faster; their parameters stay the same."""
    if not unpacks():
        return
    layers = [
        (path, UnpackingLinear.of(layer)) for path, layer in model.named_modules() if type(layer) is nn.QuantizedLinear
    ]
    model.update_modules(tree_unflatten(layers))
