"""Mean and spread of each latent channel over the training data.

Official: ltx_core.model.video_vae.ops.PerChannelStatistics.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.checkpoint import Checkpoint, load_strict

PREFIX = "vae.per_channel_statistics."
UNUSED = ("mean-of-stds", "mean-of-stds_over_std-of-means", "channel")


class PerChannelStatistics(nn.Module):
    """Between normalised latents, which the transformer sees, and raw ones, which VAE and upsampler see.

    Computes in float32 whatever the checkpoint's type.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self["mean-of-means"] = mx.zeros((channels,))
        self["std-of-means"] = mx.ones((channels,))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, channels: int) -> PerChannelStatistics:
        """Raises WeightsError when a tensor is missing, unknown or of the wrong shape."""
        statistics = cls(channels)
        tensors = checkpoint.tensors(PREFIX, skip=UNUSED.__contains__)
        load_strict(statistics, tensors, mx.float32, source=f"{checkpoint.path}: {PREFIX}")
        return statistics

    def normalize(self, latent: mx.array) -> mx.array:
        """Raw [B,C,F,H,W] to normalised, in float32."""
        return (latent - self._mean) / self._std

    def un_normalize(self, latent: mx.array) -> mx.array:
        """Normalised [B,C,F,H,W] to raw, in float32."""
        return latent * self._std + self._mean

    @property
    def _mean(self) -> mx.array:
        return mx.expand_dims(self["mean-of-means"], (1, 2, 3))

    @property
    def _std(self) -> mx.array:
        return mx.expand_dims(self["std-of-means"], (1, 2, 3))
