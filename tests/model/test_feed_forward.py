from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.feed_forward import FeedForward, gelu_tanh


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_gelu_is_the_tanh_approximation_rounded_once(dtype: mx.Dtype) -> None:
    x = mx.linspace(-5, 5, 401).astype(dtype)
    y = np.array(x.astype(mx.float32), np.float64)
    exact = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
    out = gelu_tanh(x)
    assert out.dtype == dtype
    rounding = 2**-8 if dtype == mx.bfloat16 else 2**-22
    assert np.abs(np.array(out.astype(mx.float32)) - exact).max() <= rounding * 5


def test_the_expansion_is_fourfold_and_named_as_in_the_checkpoint() -> None:
    layer = FeedForward(6)
    assert layer.net[0].proj.weight.shape == (24, 6)
    assert layer.net[2].weight.shape == (6, 24)
    assert layer(mx.ones((2, 3, 6))).shape == (2, 3, 6)
