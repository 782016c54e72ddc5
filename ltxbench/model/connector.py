"""The embeddings connector: a small transformer over the text features, its padding replaced by learned registers.

Official: ltx_core.text_encoders.gemma.embeddings_connector.Embeddings1DConnector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint, load_strict

PREFIXES = ("model.diffusion_model.video_embeddings_connector.", "model.diffusion_model.embeddings_connector.")
"""The second is the older one of video-only files."""
EPSILON = 1e-6
THETA = 10_000.0
"""The official connector does not read positional_embedding_theta."""


@dataclass(frozen=True)
class ConnectorConfig:
    heads: int
    head_dim: int
    layers: int
    ff_dim: int
    registers: int
    max_pos: float
    rope_type: Literal["split", "interleaved"]
    float64_frequencies: bool

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, prefix: str) -> ConnectorConfig:
        """Sizes from the tensors; the rest from the stored configuration, which has no field for the 19B's heads.

        A field that a stored configuration lacks has the official code's default, a file without any configuration
        the 19B's values.
        """
        shapes = checkpoint.shapes_under(prefix)
        source = f"{checkpoint.path}: {prefix}*"
        registers, dim = _matrix(shapes, "learnable_registers", source)
        ff_dim, _ = _matrix(shapes, "transformer_1d_blocks.0.ff.net.0.proj.weight", source)
        blocks = [name.split(".")[1] for name in shapes if name.startswith("transformer_1d_blocks.")]
        stored = checkpoint.config.get("transformer")
        config: Mapping[str, Any] = stored if isinstance(stored, Mapping) else OF_19B
        heads, head_dim = _heads(config, dim, source)
        max_pos = config.get("connector_positional_embedding_max_pos", [1])
        if not (isinstance(max_pos, list) and len(max_pos) == 1 and isinstance(max_pos[0], int | float) and max_pos[0]):
            raise WeightsError(
                f"{checkpoint.path}: connector_positional_embedding_max_pos is {max_pos}, expected one number"
            )
        rope_type = config.get("rope_type", "interleaved")
        if rope_type not in ("split", "interleaved"):
            raise WeightsError(f"{checkpoint.path}: rope_type is {rope_type!r}, expected split or interleaved")
        return cls(
            heads=heads,
            head_dim=head_dim,
            layers=1 + max((int(block) for block in blocks if block.isdecimal()), default=0),
            ff_dim=ff_dim,
            registers=registers,
            max_pos=float(max_pos[0]),
            rope_type=rope_type,
            float64_frequencies=config.get("frequencies_precision") == "float64",
        )


OF_19B: Mapping[str, Any] = {
    "connector_positional_embedding_max_pos": [4096],
    "rope_type": "split",
    "frequencies_precision": "float64",
}


def _matrix(shapes: Mapping[str, tuple[int, ...]], name: str, source: str) -> tuple[int, int]:
    shape = shapes.get(name)
    if shape is None:
        raise WeightsError(f"{source}: tensor {name} is missing")
    if len(shape) != 2 or 0 in shape:
        raise WeightsError(f"{source}: tensor {name} has shape {shape}, expected two dimensions")
    return shape[0], shape[1]


def _heads(config: Mapping[str, Any], dim: int, source: str) -> tuple[int, int]:
    """(heads, head_dim): stored by name, else heads of 128 as in the 19B, else as the transformer's own."""
    heads, head_dim = config.get("connector_num_attention_heads"), config.get("connector_attention_head_dim")
    if heads is None and head_dim is None:
        candidates = (128, config.get("attention_head_dim"))
        head_dim = next((size for size in candidates if isinstance(size, int) and size > 0 and dim % size == 0), None)
        if head_dim is None:
            heads = config.get("num_attention_heads")
    if heads is None and isinstance(head_dim, int) and head_dim > 0:
        heads = dim // head_dim
    if head_dim is None and isinstance(heads, int) and heads > 0:
        head_dim = dim // heads
    if not isinstance(heads, int) or not isinstance(head_dim, int) or heads * head_dim != dim or head_dim % 2:
        raise WeightsError(
            f"{source}: width {dim} is not {heads} heads of {head_dim}",
            hint="The configuration names them connector_num_attention_heads and connector_attention_head_dim.",
        )
    return heads, head_dim


@lru_cache(maxsize=4)
def _rotary_tables(config: ConnectorConfig, length: int) -> tuple[mx.array, mx.array]:
    """cos and sin, float32: split [1, heads, length, head_dim/2], interleaved [1, 1, length, dim].

    angle = frequency (2 p / max_pos - 1), frequency_i = (π/2) theta^(i / (dim/2 - 1)), i = 0..dim/2-1. The grid is
    laid over the whole width before it is cut into heads, so that each head has its own band.
    """
    count = config.dim // 2
    kind = np.float64 if config.float64_frequencies else np.float32
    exponents = np.linspace(0.0, 1.0, count, dtype=kind).astype(np.float64)
    grid = (THETA**exponents).astype(kind) * kind(math.pi / 2)
    position = np.arange(length, dtype=np.float32) / np.float32(config.max_pos)
    angles = grid.astype(np.float32) * (position * 2 - 1)[:, None]
    # MLX on Metal has no float64; the highest of these angles need it.
    cos, sin = (
        table.astype(np.float32) for table in (np.cos(angles, dtype=np.float64), np.sin(angles, dtype=np.float64))
    )
    if config.rope_type == "interleaved":
        return mx.array(cos.repeat(2, axis=-1)[None]), mx.array(sin.repeat(2, axis=-1)[None])
    shape = (1, length, config.heads, config.head_dim // 2)
    return mx.array(cos.reshape(shape).swapaxes(1, 2)), mx.array(sin.reshape(shape).swapaxes(1, 2))


def _rotate_split(x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
    """x [B, heads, T, head_dim]: dims i and i + head_dim/2 form a pair."""
    first, second = mx.split(x.astype(mx.float32), 2, axis=-1)
    return mx.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def _rotate_interleaved(x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
    """x [B, T, dim]: dims 2i and 2i + 1 form a pair."""
    wide = x.astype(mx.float32)
    pairs = wide.reshape(*x.shape[:-1], -1, 2)
    turned = mx.stack([-pairs[..., 1], pairs[..., 0]], axis=-1).reshape(x.shape)
    return (wide * cos + turned * sin).astype(x.dtype)


def rms_norm(x: mx.array) -> mx.array:
    """Over the last axis, without weight. Official: ltx_core.utils.rms_norm."""
    return mx.fast.rms_norm(x, None, EPSILON)


class Attention(nn.Module):
    """Self-attention, queries and keys normalised over the full width before the heads are split."""

    def __init__(self, config: ConnectorConfig) -> None:
        super().__init__()
        dim = config.dim
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = [nn.Linear(dim, dim)]
        self.q_norm = nn.RMSNorm(dim, EPSILON)
        self.k_norm = nn.RMSNorm(dim, EPSILON)
        self._config = config

    def __call__(self, x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
        q, k, v = self.q_norm(self.to_q(x)), self.k_norm(self.to_k(x)), self.to_v(x)
        if self._config.rope_type == "interleaved":
            q, k = _rotate_interleaved(q, cos, sin), _rotate_interleaved(k, cos, sin)
        q, k, v = self._split(q), self._split(k), self._split(v)
        if self._config.rope_type == "split":
            q, k = _rotate_split(q, cos, sin), _rotate_split(k, cos, sin)
        out = mx.fast.scaled_dot_product_attention(q, k, v, scale=self._config.head_dim**-0.5)
        return self.to_out[0](out.swapaxes(1, 2).flatten(-2))

    def _split(self, x: mx.array) -> mx.array:
        return x.reshape(*x.shape[:-1], self._config.heads, -1).swapaxes(1, 2)


class _GeluProjection(nn.Module):
    def __init__(self, dim: int, ff_dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, ff_dim)

    def __call__(self, x: mx.array) -> mx.array:
        return nn.gelu_approx(self.proj(x))


class FeedForward(nn.Module):
    """`net.0.proj`, gelu-tanh, `net.2`: the names of the stored tensors."""

    def __init__(self, dim: int, ff_dim: int) -> None:
        super().__init__()
        self.net = [_GeluProjection(dim, ff_dim), nn.Identity(), nn.Linear(ff_dim, dim)]

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.net:
            x = layer(x)
        return x


class Block(nn.Module):
    def __init__(self, config: ConnectorConfig) -> None:
        super().__init__()
        self.attn1 = Attention(config)
        self.ff = FeedForward(config.dim, config.ff_dim)

    def __call__(self, x: mx.array, cos: mx.array, sin: mx.array) -> mx.array:
        x = x + self.attn1(rms_norm(x), cos, sin)
        return x + self.ff(rms_norm(x))


class Connector(nn.Module):
    def __init__(self, config: ConnectorConfig) -> None:
        super().__init__()
        self.config = config
        self.learnable_registers = mx.zeros((config.registers, config.dim))
        self.transformer_1d_blocks = [Block(config) for _ in range(config.layers)]

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> Connector:
        """Raises WeightsError when the file has no connector, or one that is not complete and consistent."""
        prefix = next((p for p in PREFIXES if any(key.startswith(p) for key in checkpoint.shapes)), None)
        if prefix is None:
            raise WeightsError(
                f"{checkpoint.path}: no embeddings connector: no tensor under {PREFIXES[0]}",
                hint="Give the unified checkpoint, which holds transformer, connector and VAE.",
            )
        module = cls(ConnectorConfig.from_checkpoint(checkpoint, prefix))
        load_strict(module, checkpoint.tensors(prefix), dtype, source=f"{checkpoint.path}: {prefix}*")
        return module

    def __call__(self, features: mx.array, mask: mx.array, length: int | None = None) -> mx.array:
        """features [B, S, dim] and mask [B, S] (1 for a token) -> [B, length, dim], all positions of which count.

        `length`, S when not given, is the text length of the model: S may leave out padding that is common to the
        batch. Raises UsageError when it is not a multiple of the number of registers, or shorter than S.
        """
        length = features.shape[1] if length is None else length
        x = self.with_registers(features.astype(self.learnable_registers.dtype), mask, length)
        cos, sin = _rotary_tables(self.config, length)
        for block in self.transformer_1d_blocks:
            x = block(x, cos, sin)
        return rms_norm(x)

    def with_registers(self, features: mx.array, mask: mx.array, length: int) -> mx.array:
        """Tokens to the front in their order; position p behind the last one holds register p mod R."""
        _, given, dim = features.shape
        if dim != self.config.dim:
            raise WeightsError(f"the connector is {self.config.dim} wide, the text features are {dim}")
        if length % self.config.registers or length < given:
            raise UsageError(
                f"a text of {length} positions does not fit: the connector needs a multiple of its "
                f"{self.config.registers} registers, no fewer than the {given} given",
            )
        valid = mask > 0
        order = mx.argsort(mx.where(valid, 0, given) + mx.arange(given), axis=1)
        tokens = mx.take_along_axis(features, order[..., None], axis=1)
        tokens = mx.pad(tokens, [(0, 0), (0, length - given), (0, 0)])
        registers = mx.tile(self.learnable_registers, (length // self.config.registers, 1))
        is_token = mx.arange(length) < valid.sum(axis=1, keepdims=True)
        return mx.where(is_token[..., None], tokens, registers)
