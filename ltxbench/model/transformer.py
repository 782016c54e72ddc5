"""The video transformer of LTX-2 19B: noisy latent tokens and a noise level to a velocity.

Official: ltx_core.model.transformer.model.LTXModel, video part. Parameters carry the official names, so that a
checkpoint loads unmapped.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import numpy.typing as npt

from ltxbench.model import joined_linear
from ltxbench.model.adaln import modulate
from ltxbench.model.block import TransformerBlock
from ltxbench.model.checkpoint import Checkpoint, load_strict
from ltxbench.model.compiled_block import CompiledBlocks, compiles
from ltxbench.model.cuda.kernel import available
from ltxbench.model.device_queue import DeviceQueue
from ltxbench.model.feed_forward import CaptionProjection
from ltxbench.model.positions import token_positions
from ltxbench.model.rope import Rope, Rotation
from ltxbench.model.timestep import AdaLayerNormSingle
from ltxbench.model.transformer_config import TransformerConfig

PREFIX = "model.diffusion_model."
CONNECTORS = ("video_embeddings_connector.", "audio_embeddings_connector.", "embeddings_connector.")
FEW_ROWS = 2560
"""Of all samples together: up to here a GPU is done with its work about as soon as the host has put it together."""
ROWS_HELD = 12
"""What a third of a block holds while it is computed, its input and its output included, for each row: the feed-forward
of 4 * dim channels before and after its activation, and what lies around it."""
BLOCK_ROWS_HELD = 26
"""The same of a whole block, if nothing in it is given back before its end."""
AUDIO_MARKS = ("audio", "a2v", "v2a", "av_ca")


@dataclass(frozen=True)
class Conditioning:
    """Everything that stays the same over the steps of one generation."""

    rotation: Rotation
    text: tuple[tuple[mx.array, mx.array], ...]
    """Keys and values of every block's attention to the text, [B, heads, T, head_dim] each."""

    @property
    def batch(self) -> int:
        return self.text[0][0].shape[0]

    def joined(self, other: Conditioning) -> Conditioning:
        """Both as one batch, for tokens at the same positions; evaluated."""
        text = tuple(
            (mx.concatenate([k, other_k]), mx.concatenate([v, other_v]))
            for (k, v), (other_k, other_v) in zip(self.text, other.text, strict=True)
        )
        joined = Conditioning(self.rotation.joined(other.rotation), text)
        mx.eval(joined.arrays())
        return joined

    def halves(self) -> tuple[Conditioning, Conditioning]:
        """The first and the second half of the batch, sharing its memory; the tables must serve all samples."""
        middle = self.batch // 2
        return (
            Conditioning(self.rotation, tuple((k[:middle], v[:middle]) for k, v in self.text)),
            Conditioning(self.rotation, tuple((k[middle:], v[middle:]) for k, v in self.text)),
        )

    def arrays(self) -> list[mx.array]:
        return [self.rotation.cos, self.rotation.sin, *(array for pair in self.text for array in pair)]


class VideoTransformer(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim, heads, head_dim = config.dim, config.num_attention_heads, config.attention_head_dim
        self.config = config
        self.rope = Rope(
            heads=heads,
            head_dim=head_dim,
            max_pos=config.positional_embedding_max_pos,
            theta=config.positional_embedding_theta,
            rope_type=config.rope_type,
            precision=config.frequencies_precision,
            middle=config.use_middle_indices_grid,
        )
        self.patchify_proj = nn.Linear(config.in_channels, dim)
        self.adaln_single = AdaLayerNormSingle(dim)
        self.caption_projection = CaptionProjection(config.caption_channels, dim)
        self.transformer_blocks = [
            TransformerBlock(dim, heads, head_dim, config.norm_eps) for _ in range(config.num_layers)
        ]
        self._compiled = CompiledBlocks()
        self.scale_shift_table = mx.zeros((2, dim))
        self.proj_out = nn.Linear(dim, config.out_channels)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> VideoTransformer:
        """From a unified audio-video file or a video-only one, in `dtype`; nothing is read until it is evaluated.

        Raises WeightsError naming the tensor or configuration field that is not as it should be.
        """
        config = TransformerConfig.from_checkpoint(checkpoint.config, checkpoint.shapes_under(PREFIX))
        transformer = cls(config)
        tensors = checkpoint.tensors(PREFIX, skip=is_not_video)
        load_strict(transformer, tensors, dtype, source=f"{checkpoint.path}: {PREFIX}")
        return transformer

    def join_products(self) -> None:
        """Lets self-attention take queries, keys and values as one product, where that is faster.

        To be called on evaluated weights, and again after some were changed.
        """
        if joined_linear.joins():
            for block in self.transformer_blocks:
                block.attn1.join()

    @property
    def dtype(self) -> mx.Dtype:
        """In which the forward runs. The table is never quantized."""
        return self.scale_shift_table.dtype

    def prepare(
        self, context: mx.array, grid: tuple[int, int, int], fps: float, *, rotation: Rotation | None = None
    ) -> Conditioning:
        """Conditioning on text features [B, T, caption_channels] for a latent of (F, H, W) cells; evaluated.

        `rotation` of another conditioning for the same grid and rate saves making it again.
        """
        return self._prepare(context, rotation or self.rope.rotation(token_positions(grid, fps)))

    def prepare_at(self, context: mx.array, positions: npt.NDArray[np.float32]) -> Conditioning:
        """As `prepare`, for tokens at explicit bounds [B or 1, 3, N, 2] in seconds and pixels."""
        return self._prepare(context, self.rope.rotation(positions))

    def _prepare(self, context: mx.array, rotation: Rotation) -> Conditioning:
        context = self.caption_projection(context.astype(self.dtype))
        queue, text = DeviceQueue(), []
        for block in self.transformer_blocks:
            text.append(block.attn2.keys_values(context))
            for array in text[-1]:
                queue.submit(array)
        conditioning = Conditioning(rotation, tuple(text))
        mx.eval(conditioning.arrays())
        return conditioning

    def __call__(
        self,
        latent: mx.array,
        timestep: mx.array,
        conditioning: Conditioning,
        *,
        skip_self_attention: tuple[int, ...] = (),
        queue: DeviceQueue | None = None,
    ) -> mx.array:
        """Velocity [B, N, out_channels] in the model's dtype, of a latent [B, N, in_channels].

        `timestep` is the noise level in 0..1 as float32: [B] for a whole latent, or [B, N] one a token. One latent
        under a conditioning on several prompts gives a velocity for each: they part where the text is first seen. In
        the blocks numbered in `skip_self_attention` every token attends to itself alone (STG as of March 2026).
        `queue` is the one of the forwards before, of its own where it is None.
        """
        timestep = timestep.astype(mx.float32) * self.config.timestep_scale_multiplier
        modulation, embedded = self.adaln_single(timestep[:, None] if timestep.ndim == 1 else timestep, self.dtype)
        x = self.patchify_proj(latent.astype(self.dtype))
        rows = x.shape[1] * conditioning.batch
        queue, as_one = queue or self.queue(rows), self._compiles(rows)
        for number, (block, text) in enumerate(zip(self.transformer_blocks, conditioning.text, strict=True)):
            inputs = x, modulation, conditioning.rotation, text
            skip = number in skip_self_attention
            if as_one and not skip:
                x = self._compiled(number, block, *inputs)
                queue.submit(x)
            else:
                x = block(*inputs, skip_self_attention=skip, submit=queue.submit)
        return self._head(x, embedded)

    def queue(self, rows: int) -> DeviceQueue:
        """For forwards of so many rows, all samples counted.

        Where there are few rows two thirds of a block must wait for the device, or it would wait for the host; where
        blocks are compiled, a whole one. Packed weights take longer and hold memory once unpacked, how much depends on
        the layer. That memory comes back late was seen on CUDA.
        """
        if self._quantized:
            return DeviceQueue()
        if self._compiles(rows):
            # The memory of one block may be late: here the host has no time to wait for it.
            depth, rows_held = 1, 2 * BLOCK_ROWS_HELD
        else:
            depth = 2 if rows <= FEW_ROWS else 1
            rows_held = depth * ROWS_HELD
        held_bytes = rows_held * rows * self.config.dim * self.dtype.size
        return DeviceQueue(depth, held_bytes=held_bytes if available() else None)

    def _compiles(self, rows: int) -> bool:
        return compiles(rows) and not self._quantized

    @property
    def _quantized(self) -> bool:
        return isinstance(self.transformer_blocks[0].ff.net[-1], nn.QuantizedLinear)

    def _head(self, x: mx.array, embedded: mx.array) -> mx.array:
        """Unlike in the blocks the norm subtracts the mean, and the raw embedded timestep modulates."""
        shift, scale = (self.scale_shift_table[row] + embedded for row in range(2))
        normalised = mx.fast.layer_norm(x, None, None, self.config.norm_eps)
        velocity: mx.array = self.proj_out(modulate(normalised, scale, shift))
        return velocity


def is_not_video(key: str) -> bool:
    """Whether a key under the transformer's prefix belongs to the connectors or to the audio half."""
    return key.startswith(CONNECTORS) or any(mark in key for mark in AUDIO_MARKS)
