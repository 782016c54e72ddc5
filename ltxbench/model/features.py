"""All of Gemma's hidden states to one feature per token (version 1, LTX-2 19B).

Official: ltx_core.text_encoders.gemma.feature_extractor.FeatureExtractorV1.
"""

from __future__ import annotations

from collections.abc import Iterable

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import Checkpoint, load_strict

PREFIX = "text_embedding_projection."
EPSILON = 1e-6


def normalize(hidden: Iterable[mx.array], mask: mx.array) -> mx.array:
    """Scales each layer by its own range and lays the layers side by side.

    hidden: L arrays [B, T, D], any float type; consumed one by one, so that an iterator never holds them twice.
    mask: [B, T], 1 for a token, 0 for padding on either side.
    Returns [B, T, D·L] in the type of `hidden`, the layer varying fastest; rows of padding are 0.

    x = 8 (h - mean) / (max - min + 1e-6), the statistics in float32 over the tokens and dims of one layer.
    """
    layers = [_normalize_layer(state, mask[..., None] > 0) for state in hidden]
    return mx.stack(layers, axis=-1).flatten(-2)


def _normalize_layer(state: mx.array, valid: mx.array) -> mx.array:
    wide = state.astype(mx.float32)
    count = valid.sum(axis=(1, 2), keepdims=True).astype(mx.float32) * state.shape[-1]
    mean = mx.where(valid, wide, 0).sum(axis=(1, 2), keepdims=True) / (count + EPSILON)
    low = mx.where(valid, wide, mx.inf).min(axis=(1, 2), keepdims=True)
    high = mx.where(valid, wide, -mx.inf).max(axis=(1, 2), keepdims=True)
    scaled = 8 * (wide - mean) / (high - low + EPSILON)
    return mx.where(valid, scaled, 0).astype(state.dtype)


class FeatureExtractor(nn.Module):
    """Normalised hidden states to features: one linear layer over all layers at once.

    One product over D·L = 188,160 rather than a sum of one per layer: the accumulation stays in the product's own
    float32, and the columns of a layer, which lie L apart in the stored weight, need no reordering.
    """

    def __init__(self, in_dims: int, out_dims: int) -> None:
        super().__init__()
        self.aggregate_embed = nn.Linear(in_dims, out_dims, bias=False)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> FeatureExtractor:
        """Raises WeightsError that names what is missing or unknown under `text_embedding_projection.`."""
        key = f"{PREFIX}aggregate_embed.weight"
        shape = checkpoint.shapes.get(key)
        if shape is None or len(shape) != 2:
            found = "missing" if shape is None else f"of shape {shape}, expected two dimensions"
            raise WeightsError(f"{checkpoint.path}: tensor {key} is {found}")
        module = cls(in_dims=shape[1], out_dims=shape[0])
        load_strict(module, checkpoint.tensors(PREFIX), dtype, source=f"{checkpoint.path}: {PREFIX}*")
        return module

    def __call__(self, normalized: mx.array) -> mx.array:
        """[B, T, D·L] of `normalize` -> [B, T, out]. Raises WeightsError when the Gemma is not the projection's."""
        in_dims = self.aggregate_embed.weight.shape[1]
        if normalized.shape[-1] != in_dims:
            raise WeightsError(
                f"the text projection takes {in_dims} values per token, this Gemma gives {normalized.shape[-1]} "
                f"(width x (layers + 1))",
                hint="LTX-2 19B needs Gemma 3 12B: width 3840, 48 layers.",
            )
        return self.aggregate_embed(normalized.astype(self.aggregate_embed.weight.dtype))
