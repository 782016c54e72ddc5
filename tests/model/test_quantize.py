"""Quantization of linear layers."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import pytest

from ltxbench.matrix.case import Quantization, QuantizedLayers
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.quantize import quantize
from ltxbench.model.transformer import VideoTransformer
from ltxbench.weights.files import WeightFiles


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patchify_proj = nn.Linear(128, 64)
        self.odd = nn.Linear(96, 64)
        self.transformer_blocks = [nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 64)) for _ in range(2)]
        self.table = mx.ones((2, 64))


def _quantized(model: nn.Module) -> set[str]:
    return {path for path, module in model.named_modules() if isinstance(module, nn.QuantizedLinear)}


def test_all_linear_layers_are_quantized_but_those_that_do_not_divide() -> None:
    model = Small()
    report = quantize(model, Quantization.QINT8, QuantizedLayers.ALL)
    assert report is not None
    assert (report.bits, report.quantized, report.left) == (8, 3, 3)
    assert report.left_names == ("odd", "transformer_blocks.0.layers.1", "transformer_blocks.1.layers.1")
    assert "patchify_proj" in _quantized(model)
    assert model.table.dtype == mx.float32


def test_blocks_leaves_the_layers_outside_them() -> None:
    model = Small()
    report = quantize(model, Quantization.INT4, QuantizedLayers.BLOCKS)
    assert report is not None
    assert (report.bits, report.quantized, report.left) == (4, 2, 2)
    assert _quantized(model) == {"transformer_blocks.0.layers.0", "transformer_blocks.1.layers.0"}


def test_bf16_changes_nothing() -> None:
    model = Small()
    assert quantize(model, Quantization.BF16) is None
    assert not _quantized(model)


@pytest.mark.parametrize("quantization", [Quantization.QINT8, Quantization.INT4])
def test_a_weight_moves_by_half_a_step_at_most(quantization: Quantization) -> None:
    mx.random.seed(1)
    model = Small()
    weight = mx.array(model.patchify_proj.weight)
    quantize(model, quantization)
    layer = model.patchify_proj
    assert isinstance(layer, nn.QuantizedLinear)
    assert (layer.group_size, layer.bits, layer.mode) == (64, quantization.bits, "affine")
    restored = mx.dequantize(layer.weight, layer.scales, layer.biases, 64, quantization.bits)
    step = mx.repeat(mx.abs(layer.scales), 64, axis=1)
    # MLX moves the zero point onto the grid, which costs the extreme value up to half a step more.
    assert mx.all(mx.abs(restored - weight) <= step * 1.01).item()
    assert mx.mean(mx.abs(restored - weight) <= step * 0.51).item() > 0.97


def test_the_tiny_transformer_keeps_its_tables_and_computes(tiny: WeightFiles) -> None:
    assert tiny.dev is not None
    model = VideoTransformer.from_checkpoint(Checkpoint(tiny.dev), mx.float32)
    tokens = mx.random.normal((1, 8, 128), key=mx.random.key(0))
    conditioning = model.prepare(mx.random.normal((1, 16, 128), key=mx.random.key(1)), (2, 2, 2), 24)
    full = model(tokens, mx.array([0.5]), conditioning)
    report = quantize(model, Quantization.QINT8, QuantizedLayers.ALL)
    assert report is not None
    assert report.left == 0
    assert report.quantized == sum(isinstance(module, nn.QuantizedLinear) for _, module in model.named_modules())
    assert model.dtype == mx.float32
    quantized = model(
        tokens, mx.array([0.5]), model.prepare(mx.random.normal((1, 16, 128), key=mx.random.key(1)), (2, 2, 2), 24)
    )
    error = mx.linalg.norm(quantized - full) / mx.linalg.norm(full)
    assert 0 < error.item() < 0.1
