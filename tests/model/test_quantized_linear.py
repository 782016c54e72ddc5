from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ltxbench.matrix.case import Quantization
from ltxbench.model import quantized_linear
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.quantize import quantize
from ltxbench.model.quantized_linear import MANY_ROWS, UnpackingLinear, prefer_unpacking


def layer(*, bits: int = 8, bias: bool = True) -> nn.QuantizedLinear:
    mx.random.seed(3)
    return nn.QuantizedLinear.from_linear(nn.Linear(128, 96, bias=bias), 64, bits)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(1, MANY_ROWS - 1, 128), (1, MANY_ROWS, 128), (2, 40, 128), (200, 128)])
def test_unpacking_first_gives_the_product_with_packed_weights(bits: int, bias: bool, shape: tuple[int, ...]) -> None:
    packed = layer(bits=bits, bias=bias)
    x = mx.random.normal(shape)
    np.testing.assert_allclose(np.array(UnpackingLinear.of(packed)(x)), np.array(packed(x)), rtol=1e-5, atol=1e-5)


def test_few_rows_use_the_packed_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[mx.array] = []
    dequantize = mx.dequantize
    monkeypatch.setattr(
        mx, "dequantize", lambda *args, **kwargs: unpacked.append(args[0]) or dequantize(*args, **kwargs)
    )
    made = UnpackingLinear.of(layer())
    made(mx.zeros((1, MANY_ROWS - 1, 128)))
    assert not unpacked
    made(mx.zeros((1, MANY_ROWS, 128)))
    assert len(unpacked) == 1


def test_parameters_and_their_names_stay_the_same() -> None:
    packed = layer()
    ours, theirs = named_parameters(UnpackingLinear.of(packed)), named_parameters(packed)
    assert ours.keys() == theirs.keys()
    assert all(ours[name] is theirs[name] for name in theirs)


def test_layers_are_exchanged_where_it_pays_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def model() -> nn.Module:
        made = nn.Module()
        made.inner = [nn.Linear(128, 64), nn.Linear(64, 64)]
        made.embedding = nn.Embedding(8, 64)
        return made

    kept = model()
    quantize(kept, Quantization.QINT8)
    assert type(kept.inner[0]) is (UnpackingLinear if quantized_linear.unpacks() else nn.QuantizedLinear)
    monkeypatch.setattr(quantized_linear, "unpacks", lambda: True)
    exchanged = model()
    quantize(exchanged, Quantization.QINT8)
    assert [type(layer) for layer in exchanged.inner] == [UnpackingLinear] * 2
    assert type(exchanged.embedding) is nn.Embedding
    first = exchanged.inner[0]
    prefer_unpacking(exchanged)
    assert exchanged.inner[0] is first
