"""Counts the multiplications and additions that modules really do while they run."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from ltxbench.model.vae.convolution import PointwiseConv3d


class Counter:
    flops = 0


def count(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """From now on: linear layers, 3-D convolutions and attention."""
    counter = Counter()

    def spy(kind: type[nn.Module], per_output: Any) -> None:
        call = kind.__call__

        def counted(self: Any, x: mx.array) -> mx.array:
            out: mx.array = call(self, x)
            counter.flops += 2 * out.size * per_output(self)
            return out

        monkeypatch.setattr(kind, "__call__", counted)

    spy(nn.Linear, lambda layer: layer.weight.shape[-1])
    spy(PointwiseConv3d, lambda layer: layer.weight.shape[-1])
    convolve, attend = mx.conv3d, mx.fast.scaled_dot_product_attention

    def convolution(x: mx.array, weight: mx.array, *more: Any) -> mx.array:
        out = convolve(x, weight, *more)
        counter.flops += 2 * out.size * weight[0].size
        return out

    def attention(q: mx.array, k: mx.array, v: mx.array, **more: Any) -> mx.array:
        counter.flops += 2 * q.size * k.shape[2] + 2 * q.size // q.shape[-1] * v.shape[-1] * k.shape[2]
        return attend(q, k, v, **more)

    monkeypatch.setattr(mx, "conv3d", convolution)
    monkeypatch.setattr(mx.fast, "scaled_dot_product_attention", attention)
    return counter
