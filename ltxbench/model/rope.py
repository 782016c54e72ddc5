"""Rotary position embedding over fractional coordinates, one frequency band a head.

Official: ltx_core.model.transformer.rope. Frequencies are formed in float64 (or float32, as the checkpoint says),
angles in float32, and queries and keys are rotated in float32 whatever the model's precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.model.float32 import linspace
from ltxbench.model.fused import fused
from ltxbench.model.transformer_config import Precision, RopeType


@dataclass(frozen=True)
class Rope:
    """The embedding of one attention: `heads * head_dim` components over `len(max_pos)` axes."""

    heads: int
    head_dim: int
    max_pos: tuple[float, ...]
    theta: float = 10000.0
    rope_type: RopeType = RopeType.SPLIT
    precision: Precision = Precision.FLOAT64
    middle: bool = True
    """A token stands at the middle of its bounds; otherwise at their start."""

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    def frequencies(self) -> npt.NDArray[np.float32]:
        """[n] angular frequencies from pi/2 to theta * pi/2, n = dim // (2 * axes): the same for every axis."""
        count = self.dim // (2 * len(self.max_pos))
        if self.precision is Precision.FLOAT64:
            return np.asarray(self.theta ** np.linspace(0, 1, count) * (math.pi / 2), np.float32)
        grid = (self.theta ** linspace(0, 1, count).astype(np.float64)).astype(np.float32)
        return grid * np.float32(math.pi) / np.float32(2)

    def coordinates(self, positions: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[B, axes, N] in -1..1 from positions [B, axes, N] or bounds [B, axes, N, 2]: 2 * position / max_pos - 1."""
        positions = np.asarray(positions, np.float32)
        if positions.ndim == 4:
            start, end = positions[..., 0], positions[..., 1]
            positions = (start + end) / np.float32(2) if self.middle else start
        if positions.ndim != 3 or positions.shape[1] != len(self.max_pos):
            raise ValueError(f"positions of shape {positions.shape} do not have {len(self.max_pos)} axes")
        extent = np.asarray(self.max_pos, np.float32)[:, None]
        return positions / extent * np.float32(2) - np.float32(1)

    def rotation(self, positions: npt.NDArray[np.float32]) -> Rotation:
        """Tables for the given positions, [B, axes, N] or [B, axes, N, 2].

        Pairs are ordered frequency by frequency with the axis fastest; the ones left over come first and do not turn.
        """
        frequencies, coordinates = self.frequencies(), self.coordinates(positions)
        batch, axes, tokens = coordinates.shape
        still = self.dim // 2 - axes * len(frequencies)
        cos, sin = [], []
        for axis in range(axes):
            # A grid has few distinct coordinates an axis: each is turned once, by the host's sine on every device.
            distinct, index = np.unique(coordinates[:, axis], return_inverse=True)
            angles = distinct[:, None] * frequencies
            tokens_to_rows = mx.array(index.reshape(batch, tokens).astype(np.uint32))
            cos.append(mx.array(np.cos(angles))[tokens_to_rows])
            sin.append(mx.array(np.sin(angles))[tokens_to_rows])

        def table(parts: list[mx.array], fill: float) -> mx.array:
            pairs = mx.stack(parts, axis=-1).reshape(batch, tokens, -1)
            return mx.pad(pairs, [(0, 0), (0, 0), (still, 0)], constant_values=fill)

        return self._rotation(table(cos, 1.0), table(sin, 0.0))

    def _rotation(self, cos: mx.array, sin: mx.array) -> Rotation:
        """From [B, N, dim / 2], one entry a pair."""
        batch, tokens, pairs = cos.shape
        if self.rope_type is RopeType.SPLIT:
            shape: tuple[int, ...] = (batch, tokens, self.heads, 1, self.head_dim // 2)
            return Rotation(cos.reshape(shape), sin.reshape(shape), mx.array([[-1.0], [1.0]]))
        shape = (batch, tokens, pairs, 1)
        return Rotation(cos.reshape(shape), sin.reshape(shape), mx.array([-1.0, 1.0]))


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines in float32, laid out so that a vector is turned without moving its components.

    split        [B, N, heads, 1, head_dim / 2]
    interleaved  [B, N, dim / 2, 1]
    """

    cos: mx.array
    sin: mx.array
    sign: mx.array
    """Of the sine in each component of a pair, which lies over the axis before the last (split) or the last."""

    @property
    def pairs_are_halves(self) -> bool:
        """A pair is component i of each half of a head (split); otherwise two neighbours (interleaved)."""
        return self.sign.ndim == 2

    @property
    def serves_all_samples(self) -> bool:
        """One table, whatever the batch."""
        return self.cos.shape[0] == 1

    def joined(self, other: Rotation) -> Rotation:
        """Tables for both batches, one after the other; tables of one sample serve any number of them."""
        if self.serves_all_samples and other.serves_all_samples:
            return self
        return Rotation(mx.concatenate([self.cos, other.cos]), mx.concatenate([self.sin, other.sin]), self.sign)

    def __call__(self, x: mx.array) -> mx.array:
        """Turns x [B, N, dim]; same shape and dtype."""
        shape = mx.broadcast_shapes(self.cos.shape[2:], self.sign.shape)
        pairs = x.reshape(*x.shape[:2], *shape)
        swapped = pairs[..., ::-1, :] if self.pairs_are_halves else pairs[..., ::-1]
        return _turn(pairs, swapped, self.cos, self.sin, self.sign).reshape(x.shape)


@fused
def _turn(pairs: mx.array, swapped: mx.array, cos: mx.array, sin: mx.array, sign: mx.array) -> mx.array:
    return (pairs * cos + swapped * (sign * sin)).astype(pairs.dtype)
