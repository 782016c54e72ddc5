"""Multi-head attention with RMS-normalised queries and keys.

Official: ltx_core.model.transformer.attention. The norms span all heads at once, before rotation and split.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model.cuda import rows
from ltxbench.model.joined_linear import JoinedLinear, join
from ltxbench.model.rope import Rotation


class Attention(nn.Module):
    """Queries from `dim` channels; keys and values from `context_dim` channels, `dim` where that is None."""

    def __init__(self, dim: int, heads: int, head_dim: int, *, context_dim: int | None = None, eps: float) -> None:
        super().__init__()
        inner, source = heads * head_dim, dim if context_dim is None else context_dim
        self.heads, self.head_dim = heads, head_dim
        self.scale = head_dim**-0.5
        self.q_norm = nn.RMSNorm(inner, eps)
        self.k_norm = nn.RMSNorm(inner, eps)
        self.to_q = nn.Linear(dim, inner)
        self.to_k = nn.Linear(source, inner)
        self.to_v = nn.Linear(source, inner)
        self.to_out = [nn.Linear(inner, dim)]
        self._joined: JoinedLinear | None = None

    def join(self) -> None:
        """Lets self-attention take queries, keys and values as one product, if the layers are alike.

        To be called again once they have changed; until then each has its own product.
        """
        layers = self.to_q, self.to_k, self.to_v
        if self._joined is None or not self._joined.stands_for(layers):
            self._joined = None  # what it alone holds is free before more is allocated
            self._joined = join(layers)

    def keep(self, joined: JoinedLinear) -> None:
        """Lets what stood for the layers do so again, after `mx.compile` has replaced their arrays by equal ones."""
        joined.give_views((self.to_q, self.to_k, self.to_v))

    @property
    def joined(self) -> JoinedLinear | None:
        """What `join` made, if it still stands for the layers."""
        layers = self.to_q, self.to_k, self.to_v
        return self._joined if self._joined is not None and self._joined.stands_for(layers) else None

    def __call__(self, x: mx.array, rotation: Rotation, *, joined: JoinedLinear | None = None) -> mx.array:
        """Self-attention of x [B, N, dim]. `joined` is known to stand for the layers; None: that is looked up."""
        q, k, v = self._queries_keys_values(x, rotation, joined or self.joined)
        return self._attend(self._split(q), self._split(k), self._split(v))

    def _queries_keys_values(
        self, x: mx.array, rotation: Rotation, joined: JoinedLinear | None
    ) -> tuple[mx.array, mx.array, mx.array]:
        """[B, N, heads * head_dim] each, queries and keys normed and rotated."""
        if joined is not None:
            q_from, k_from = joined(x), None
            q, k, v = mx.split(q_from, 3, axis=-1)
        else:
            q, k, v = (layer(x) for layer in (self.to_q, self.to_k, self.to_v))
            q_from, k_from = q, k
        if rotation.serves_all_samples and rotation.pairs_are_halves and rows.fits(q.shape[-1], q.dtype):
            weights = self.q_norm.weight, self.k_norm.weight
            turns = rotation.cos, rotation.sin
            q, k = rows.norm_rotate(q_from, k_from, *weights, *turns, self.head_dim, self.q_norm.eps)
        else:
            q, k = rotation(self.q_norm(q)), rotation(self.k_norm(k))
        return q, k, v

    def keys_values(self, context: mx.array) -> tuple[mx.array, mx.array]:
        """What `cross` reads of a context [B, T, context_dim]: two arrays [B, heads, T, head_dim]."""
        return self._split(self.k_norm(self.to_k(context))), self._split(self.to_v(context))

    def cross(self, x: mx.array, keys: mx.array, values: mx.array) -> mx.array:
        """Attention of x [B or 1, N, dim] to what `keys_values` gave of B contexts; no rotation, no mask."""
        q = self.q_norm(self.to_q(x))
        if (contexts := keys.shape[0]) > q.shape[0]:
            q = mx.concatenate([q] * contexts)  # a copy: cuDNN's attention takes no sample twice by its stride
        return self._attend(self._split(q), keys, values)

    def values_only(self, x: mx.array) -> mx.array:
        """x [B, N, dim] as if each token attended to itself alone: the perturbation of STG."""
        out: mx.array = self.to_out[0](self.to_v(x))
        return out

    def _split(self, x: mx.array) -> mx.array:
        """[B, N, heads * head_dim] to [B, heads, N, head_dim], without a copy."""
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)

    def _attend(self, q: mx.array, k: mx.array, v: mx.array) -> mx.array:
        heads = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.scale)
        out: mx.array = self.to_out[0](heads.swapaxes(1, 2).flatten(2))
        return out
