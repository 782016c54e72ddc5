"""The embeddings connector: a small transformer over the text features, its padding replaced by learned registers.

Official: ltx_core.text_encoders.gemma.embeddings_connector.Embeddings1DConnector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.attention import Attention
from ltxbench.model.checkpoint import Checkpoint, load_strict
from ltxbench.model.feed_forward import FeedForward
from ltxbench.model.rope import Rope, Rotation
from ltxbench.model.transformer_config import Precision, RopeType, transformer_section

PREFIXES = ("model.diffusion_model.video_embeddings_connector.", "model.diffusion_model.embeddings_connector.")
"""The second is the older one of video-only files."""
EPSILON = 1e-6


@dataclass(frozen=True)
class ConnectorConfig:
    """The defaults, those of a file without any configuration, are the 19B's.

    theta is no field: the official connector's is always 10,000.
    """

    layers: int
    registers: int
    heads: int = 30
    head_dim: int = 128
    max_pos: float = 4096
    rope_type: RopeType = RopeType.SPLIT
    precision: Precision = Precision.FLOAT64

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    @property
    def rope(self) -> Rope:
        """Positions count from 0, over `max_pos`."""
        return Rope(
            heads=self.heads,
            head_dim=self.head_dim,
            max_pos=(self.max_pos,),
            rope_type=self.rope_type,
            precision=self.precision,
        )

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, prefix: str) -> ConnectorConfig:
        """Sizes from the tensors; the heads, which they don't show, and the positions from the configuration."""
        source, shapes = f"{checkpoint.path}: {prefix}*", checkpoint.shapes_under(prefix)
        registers = shapes.get("learnable_registers", ())
        if len(registers) != 2 or 0 in registers:
            found = f"of shape {registers}, expected a matrix" if registers else "missing"
            raise WeightsError(f"{source}: tensor learnable_registers is {found}")
        config = transformer_section(checkpoint.config)
        heads, head_dim = _heads(config, registers[1], source)
        max_pos = config.get("connector_positional_embedding_max_pos", [cls.max_pos])
        if not isinstance(max_pos, list) or len(max_pos) != 1 or not _is_positive(max_pos[0]):
            raise WeightsError(f"{source}: connector_positional_embedding_max_pos is {max_pos}, expected [a number]")
        rope_type = config.get("rope_type", cls.rope_type)
        if rope_type not in list(RopeType):
            raise WeightsError(f"{source}: rope_type is {rope_type!r}, expected {' or '.join(RopeType)}")
        precision = config.get("frequencies_precision", cls.precision)
        numbers = [name.split(".")[1] for name in shapes if name.startswith("transformer_1d_blocks.")]
        return cls(
            layers=1 + max((int(number) for number in numbers if number.isdecimal()), default=0),
            registers=registers[0],
            heads=heads,
            head_dim=head_dim,
            max_pos=float(max_pos[0]),
            rope_type=RopeType(rope_type),
            # Any other value is float32 to the official code.
            precision=Precision.FLOAT64 if precision == Precision.FLOAT64 else Precision.FLOAT32,
        )


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _heads(config: Mapping[str, Any], dim: int, source: str) -> tuple[int, int]:
    """(heads, head_dim): as configured, else heads of 128 as in the 19B, else those of the transformer."""
    heads, head_dim = config.get("connector_num_attention_heads"), config.get("connector_attention_head_dim")
    if heads is None and head_dim is None:
        sizes = (ConnectorConfig.head_dim, config.get("attention_head_dim"))
        head_dim = next((size for size in sizes if isinstance(size, int) and size > 0 and dim % size == 0), None)
        heads = config.get("num_attention_heads") if head_dim is None else None
    if heads is None and isinstance(head_dim, int) and head_dim > 0:
        heads = dim // head_dim
    if head_dim is None and isinstance(heads, int) and heads > 0:
        head_dim = dim // heads
    if not isinstance(heads, int) or not isinstance(head_dim, int) or heads * head_dim != dim or head_dim % 2:
        raise WeightsError(
            f"{source}: a width of {dim} is not {heads} heads of {head_dim}, an even number each",
            hint="The configuration names them connector_num_attention_heads and connector_attention_head_dim.",
        )
    return heads, head_dim


@lru_cache(maxsize=4)
def _rotation(rope: Rope, length: int) -> Rotation:
    return rope.rotation(np.arange(length, dtype=np.float32)[None, None])


class ConnectorBlock(nn.Module):
    """Self-attention and feed-forward, each on what was normalised without weights."""

    def __init__(self, config: ConnectorConfig) -> None:
        super().__init__()
        self.attn1 = Attention(config.dim, config.heads, config.head_dim, eps=EPSILON)
        self.ff = FeedForward(config.dim)

    def __call__(self, x: mx.array, rotation: Rotation) -> mx.array:
        """[B, T, dim]; every position attends to every other."""
        x = x + self.attn1(_norm(x), rotation)
        return x + self.ff(_norm(x))


def _norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, EPSILON)


class Connector(nn.Module):
    def __init__(self, config: ConnectorConfig) -> None:
        super().__init__()
        self.config = config
        self.learnable_registers = mx.zeros((config.registers, config.dim))
        self.transformer_1d_blocks = [ConnectorBlock(config) for _ in range(config.layers)]

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
        rotation = _rotation(self.config.rope, length)
        for block in self.transformer_1d_blocks:
            x = block(x, rotation)
        return _norm(x)

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
