"""Initial values of the layer kinds that the components share. Each returns tensors under their official names."""

from __future__ import annotations

import math

import numpy as np

from ltxbench.weights.tiny.numbers import F32, normal

Tensors = dict[str, F32]


def linear(label: str, name: str, outputs: int, inputs: int, *, gain: float = 1.0, bias: bool = True) -> Tensors:
    """[outputs,inputs]; an input of unit variance gives an output of variance gain²."""
    tensors = {f"{name}.weight": normal(f"{label}/{name}.weight", (outputs, inputs), gain / math.sqrt(inputs))}
    if bias:
        tensors[f"{name}.bias"] = normal(f"{label}/{name}.bias", (outputs,), 0.02)
    return tensors


def attention(
    label: str,
    name: str,
    queries: int,
    context: int,
    inner: int,
    *,
    sharpness: float = 2.0,
    gain: float = 1.0,
) -> Tensors:
    """`sharpness` scales the normalised queries: at 1 a thousand keys would average out to nothing."""
    tensors = {
        f"{name}.q_norm.weight": normal(f"{label}/{name}.q_norm", (inner,), 0.1 * sharpness, sharpness),
        f"{name}.k_norm.weight": normal(f"{label}/{name}.k_norm", (inner,), 0.1, 1.0),
    }
    tensors |= linear(label, f"{name}.to_q", inner, queries)
    tensors |= linear(label, f"{name}.to_k", inner, context)
    tensors |= linear(label, f"{name}.to_v", inner, context)
    return tensors | linear(label, f"{name}.to_out.0", queries, inner, gain=gain)


def feed_forward(label: str, name: str, width: int) -> Tensors:
    hidden = 4 * width
    return linear(label, f"{name}.net.0.proj", hidden, width) | linear(label, f"{name}.net.2", width, hidden)


def timestep_adaln(label: str, name: str, width: int, rows: int, sinusoid: int) -> Tensors:
    embedder = f"{name}.emb.timestep_embedder"
    tensors = linear(label, f"{embedder}.linear_1", width, sinusoid, gain=2.0)
    tensors |= linear(label, f"{embedder}.linear_2", width, width, gain=0.3)
    return tensors | linear(label, f"{name}.linear", rows * width, width)


def conv(
    label: str,
    name: str,
    outputs: int,
    inputs: int,
    kernel: tuple[int, ...],
    *,
    gain: float = 1.0,
) -> Tensors:
    """[outputs,inputs,*kernel], PyTorch's order."""
    fan_in = inputs * math.prod(kernel)
    return {
        f"{name}.weight": normal(f"{label}/{name}.weight", (outputs, inputs, *kernel), gain / math.sqrt(fan_in)),
        f"{name}.bias": normal(f"{label}/{name}.bias", (outputs,), 0.02),
    }


def under(prefix: str, tensors: Tensors) -> Tensors:
    return {prefix + name: values for name, values in tensors.items()}


def ones(width: int) -> F32:
    return np.ones(width, np.float32)
