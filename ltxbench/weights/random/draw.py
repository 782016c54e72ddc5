"""Values from seed and label alone: bit for bit the same on every device, in any order and selection.

Threefry gives the random bits; sixteen of them, as a signed number, are one value. Converting, scaling and adding are
correctly rounded everywhere, where a normal distribution's logarithm would not be.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np

from ltxbench.weights.random.initial import Initial, Shape, Special, Uniform
from ltxbench.weights.random.kernels import KERNELS

DTYPES = {"BF16": mx.bfloat16, "F32": mx.float32, "U32": mx.uint32}
BYTES = {"BF16": 2, "F32": 4, "U32": 4}
LEVELS = 1 << 15
"""A signed 16-bit number over this lies in -1..1, with a standard deviation of 1 / sqrt(3)."""


@dataclass(frozen=True)
class Tensor:
    """What a tensor is, before a value of it exists."""

    shape: Shape
    dtype: str
    """As safetensors calls it: BF16, F32 or U32."""
    initial: Initial
    label: str
    """Tensors of one label are drawn from the same bits."""

    @property
    def itemsize(self) -> int:
        return BYTES[self.dtype]

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * self.itemsize


def draw(tensor: Tensor, seed: int) -> mx.array:
    """The lazy values: nothing is in memory before they are evaluated, and then little more than themselves."""
    match tensor.initial:
        case Special.BLUR:
            binomial = np.array([1, 4, 6, 4, 1], np.float32) / 16
            values = mx.array(np.outer(binomial, binomial)).reshape(tensor.shape)
        case Special.SMOOTHING | Special.DOUBLING | Special.PIXELS:
            values = KERNELS[tensor.initial](tensor.shape, partial(_mixing, tensor.label, seed))
        case Special.BITS:
            values = _words(tensor.label, math.prod(tensor.shape), seed).reshape(tensor.shape)
        case Uniform():
            values = _uniform(tensor, tensor.initial, seed)
    return values.astype(DTYPES[tensor.dtype])


def _uniform(tensor: Tensor, initial: Uniform, seed: int) -> mx.array:
    dtype, count = DTYPES[tensor.dtype], math.prod(tensor.shape)
    bits = _words(tensor.label, -(-count // 2), seed).view(mx.int16)[:count].reshape(tensor.shape)
    # One pass in the tensor's own type: a matrix of 1.4 GB must not stand beside a copy in float32.
    values = bits.astype(dtype) * mx.array(initial.std * math.sqrt(3) / LEVELS, dtype)
    if initial.opposed:
        values = mx.stack([values[:, ::2], -values[:, ::2]], axis=2).reshape(tensor.shape)
    if initial.row_means is not None:
        return values + mx.array(initial.row_means, dtype).reshape(-1, *(1 for _ in tensor.shape[1:]))
    return values + mx.array(initial.mean, dtype) if initial.mean else values


def _mixing(label: str, seed: int, outputs: int, inputs: int) -> mx.array:
    """[outputs, inputs] in float32: keeps the size of what it maps."""
    values = Tensor((outputs, inputs), "F32", Uniform(1 / math.sqrt(inputs)), label)
    return draw(values, seed)


def _words(label: str, count: int, seed: int) -> mx.array:
    """[count] uint32. Splitting a key yields the generator's raw output, two words a key."""
    key = int.from_bytes(hashlib.sha256(f"{seed}/{label}".encode()).digest()[:8], "little")
    return mx.random.split(mx.random.key(key), -(-count // 2)).reshape(-1)[:count]
