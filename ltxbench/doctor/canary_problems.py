"""What the canary computes: small problems of the shapes at which kernels differ, with answers in double precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

SEED = 0x1723
# One row goes to a matrix-vector kernel, up to 8 to another one, more to the tiled ones.
ROWS = (1, 8, 9, 1024)
TERMS, COLUMNS = 1024, 384
HEADS, QUERIES, KEYS, HEAD_DIM = 4, 288, 333, 128
VIDEO = (1, 4, 10, 12, 32)  # [B,F,H,W,C]
FILTERS, SPAN = 48, 3
QUANTIZED_ROWS, QUANTIZED_TERMS, QUANTIZED_COLUMNS, GROUP = (1, 33), 512, 256, 64
PARTS = 3.0  # standard deviations that a stored part of a sum may reach
SPREAD = 6.0  # standard deviations: a sum of independent errors goes beyond with a probability below 1e-7


@dataclass(frozen=True)
class Reference:
    """The right answer, and what rounding may do to it."""

    value: Doubles
    limit: Callable[[float, float, float], Doubles]
    """Of each element, from the unit roundoffs of what is stored, of a whole sum and of the factors."""


@dataclass(frozen=True)
class Problem:
    name: str
    kernel: str
    arguments: tuple[Array, ...]
    """float32, to be rounded to the type under test, or uint32, packed codes."""
    terms: int
    """That are summed up for one element."""
    reference: Callable[[list[Array]], Reference]
    """From the rounded arguments."""
    quantized_rows: int = 0
    """Of a product with packed weights; 0 for every other problem."""


@cache
def problems() -> tuple[Problem, ...]:
    """The same on every machine: NumPy's Philox, float32."""
    draw = np.random.Generator(np.random.Philox(SEED))

    def normal(*shape: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        return draw.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    made = [
        Problem(
            f"matmul, {rows} row{'s' if rows > 1 else ''}",
            "matmul",
            (normal(rows, TERMS), normal(TERMS, COLUMNS, scale=TERMS**-0.5)),
            TERMS,
            _matmul,
        )
        for rows in ROWS
    ]
    taps = SPAN**3 * VIDEO[-1]
    made.append(
        Problem(
            "conv3d",
            "conv3d",
            (normal(*VIDEO), normal(FILTERS, SPAN, SPAN, SPAN, VIDEO[-1], scale=taps**-0.5)),
            taps,
            _conv3d,
        )
    )
    queries, keys, values = (normal(1, HEADS, length, HEAD_DIM) for length in (QUERIES, KEYS, KEYS))
    made.append(Problem("attention", "attention", (queries, keys, values), max(HEAD_DIM, KEYS), _attention))
    for bits in (8, 4):
        codes = draw.integers(0, 1 << bits, (QUANTIZED_COLUMNS, QUANTIZED_TERMS), dtype=np.uint32)
        # Powers of two and small multiples of them: every type stores them exactly.
        groups = (QUANTIZED_COLUMNS, QUANTIZED_TERMS // GROUP)
        scales = np.exp2(draw.integers(-3, 1, groups)).astype(np.float32) * np.float32(2.0**-bits)
        biases = -scales * np.float32(1 << (bits - 1))
        made.extend(
            Problem(
                f"{bits}-bit matmul, {rows} row{'s' if rows > 1 else ''}",
                f"quantized{bits}",
                (normal(rows, QUANTIZED_TERMS), pack(codes, bits), scales, biases),
                QUANTIZED_TERMS,
                partial(_quantized, codes=codes),
                quantized_rows=rows,
            )
            for rows in QUANTIZED_ROWS
        )
    return tuple(made)


def pack(codes: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.uint32]:
    """MLX's layout: each 32-bit word holds consecutive codes of a row, the first in the lowest bits."""
    per_word = 32 // bits
    words = codes.reshape(*codes.shape[:-1], -1, per_word)
    shifts = np.arange(per_word, dtype=np.uint32) * np.uint32(bits)
    return np.asarray(np.bitwise_or.reduce(words << shifts, axis=-1), dtype=np.uint32)


def attention_scale() -> float:
    return float(HEAD_DIM**-0.5)


def _matmul(arguments: list[Array]) -> Reference:
    left, right = arguments
    return _products(left @ right, np.abs(left) @ np.abs(right), left**2 @ right**2)


def _conv3d(arguments: list[Array]) -> Reference:
    """Channels last, stride 1, no padding; a correlation, as in every framework."""
    video, filters = arguments
    windows = np.lib.stride_tricks.sliding_window_view(video, (SPAN, SPAN, SPAN), axis=(1, 2, 3))
    terms = "bfhwcijk,oijkc->bfhwo"

    def correlated(left: Array, right: Array) -> Doubles:
        return np.asarray(np.einsum(terms, left, right, optimize=True))

    return _products(
        correlated(windows, filters), correlated(np.abs(windows), np.abs(filters)), correlated(windows**2, filters**2)
    )


def _quantized(arguments: list[Array], *, codes: npt.NDArray[np.uint32]) -> Reference:
    """x W^T with W = scale * code + bias; a kernel may sum up codes and biases apart."""
    left, _, scales, biases = arguments
    scale, bias = (np.repeat(part.astype(np.float64), GROUP, axis=1) for part in (scales, biases))
    weights, sizes = codes * scale + bias, codes * scale + np.abs(bias)
    return _products(left @ weights.T, np.abs(left) @ sizes.T, left**2 @ weights.T**2)


def _products(value: Doubles, magnitude: Doubles, squares: Doubles) -> Reference:
    """For sums of products: the sums, those of the products' sizes, and those of their squares.

    A kernel may split a sum and store the parts: each is about as large as the square root of its squares' sum.
    """

    def limit(stored: float, summed: float, factors: float) -> Doubles:
        parts = PARTS * np.sqrt(squares)
        return np.asarray(stored * (np.abs(value) + parts) + (summed + 2 * factors) * magnitude)

    return Reference(value, limit)


def _attention(arguments: list[Array]) -> Reference:
    """softmax(q k^T / sqrt(d)) v.

    Kernels may round the scaled queries, the scores and the weights to the type that is stored. These errors are
    independent of each other, so their sum over the keys is held to SPREAD standard deviations (Hoeffding).
    """
    queries, keys, values = arguments
    scale = attention_scale()
    flipped = np.swapaxes(keys, -1, -2)
    scores = queries @ flipped * scale
    score_size = np.abs(queries) @ np.abs(flipped) * scale
    score_spread = np.sqrt(queries**2 @ flipped**2) * scale
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    value = weights @ values

    def limit(stored: float, summed: float, factors: float) -> Doubles:
        rounded = stored + 2 * factors
        # Relative error of one weight: rounding it, its score, and the queries that the score comes from.
        each = rounded * (1 + np.abs(scores) + SPREAD / 2 * score_spread) + summed * score_size
        spread = SPREAD * np.sqrt((weights * each) ** 2 @ values**2)
        total = SPREAD * np.sqrt(((weights * each) ** 2).sum(-1, keepdims=True)) * np.abs(value)
        return np.asarray(stored * np.abs(value) + spread + total + summed * (weights @ np.abs(values)))

    return Reference(value, limit)
