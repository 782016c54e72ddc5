"""Gemma 3 as text encoder: the hidden states of every layer, through mlx-lm's own layers.

Reference: transformers' Gemma3TextModel with output_hidden_states; official: ltx_core's GemmaTextEncoder.encode.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import load_strict
from ltxbench.model.feed_forward import gelu_tanh
from ltxbench.model.gemma_files import GemmaConfig, read_tensors
from ltxbench.model.quantized_linear import prefer_unpacking

BITS, GROUP_SIZES = (2, 3, 4, 5, 6, 8), (32, 64, 128)
Mask = mx.array | str | None


class TextEncoder:
    """The text model without its output head. Weights are read when they are first used."""

    def __init__(self, model: Any, config: GemmaConfig) -> None:
        self.model = model
        """mlx_lm.models.gemma3_text.Gemma3Model."""
        self.config = config

    @classmethod
    def load(cls, folder: Path, dtype: mx.Dtype) -> TextEncoder:
        """`dtype` is that of the computation; MLX-quantized weights stay quantized.

        Raises WeightsError that names the file or tensor that is missing, unknown, or of the wrong shape or type.
        """
        return cls.from_tensors(GemmaConfig.read(folder), read_tensors(folder), dtype, source=str(folder))

    @classmethod
    def from_tensors(
        cls, config: GemmaConfig, tensors: Mapping[str, mx.array], dtype: mx.Dtype, *, source: str
    ) -> TextEncoder:
        """As `load`, of tensors under the names of `gemma_files.read_tensors`."""
        model = build(config, tensors, source=source)
        load_strict(model, tensors, dtype, source=source)
        return cls(model, config)

    def hidden_states(self, ids: mx.array, mask: mx.array, *, offset: int = 0) -> Iterator[mx.array]:
        """Yields the layers + 1 states that transformers calls hidden_states, each [B, T, width].

        The scaled embedding comes first, then the outputs of all layers but the last, then that of the last after
        the final norm. ids, mask: [B, T], mask 1 for a token; `offset` is the position of the first column. Rows of
        padding are finite and mean nothing.
        """
        everything, window = attention_masks(mask, self.config.sliding_window)
        position = _Offset(offset)
        h = self.embed(ids)
        yield h
        for layer in self.model.layers[:-1]:
            h = layer(h, window if layer.self_attn.is_sliding else everything, position)
            yield h
        last = self.model.layers[-1]
        h = last(h, window if last.self_attn.is_sliding else everything, position)
        yield self.model.norm(h)

    def embed(self, ids: mx.array) -> mx.array:
        """Embeddings times √width, the root rounded to their type as in transformers (mlx-lm's is always bf16)."""
        h = self.model.embed_tokens(ids)
        scaled: mx.array = h * mx.array(self.config.hidden_size**0.5, mx.float32).astype(h.dtype)
        return scaled

    def caches(self) -> list[Any]:
        """Empty key-value caches of mlx-lm, one per layer, for `next_logits`."""
        cache = _mlx_lm().cache
        return [
            cache.RotatingKVCache(self.config.sliding_window) if layer.self_attn.is_sliding else cache.KVCache()
            for layer in self.model.layers
        ]

    def next_logits(self, ids: mx.array, caches: Sequence[Any]) -> mx.array:
        """[1, T] ids that follow those in the caches -> float32 [vocabulary]: the logits of the next token."""
        create_mask = _mlx_lm().base.create_attention_mask
        h = self.embed(ids)
        masks: dict[bool, Mask] = {}
        for layer, cache in zip(self.model.layers, caches, strict=True):
            sliding = layer.self_attn.is_sliding
            if sliding not in masks:
                masks[sliding] = create_mask(h, cache, window_size=self.config.sliding_window if sliding else None)
            h = layer(h, masks[sliding], cache)
        logits = self.model.embed_tokens.as_linear(self.model.norm(h[:, -1:]))
        return cast("mx.array", logits)[0, 0].astype(mx.float32)


class _Offset:
    """Stands where mlx-lm's layers take a cache: positions start at `offset`, and nothing is kept."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return keys, values


def attention_masks(mask: mx.array, window: int) -> tuple[Mask, Mask]:
    """For global and for sliding layers, from [B, T]: causal, no padding seen, the latter `window` tokens back.

    A row of padding sees itself, or its softmax would be over nothing.
    """
    length = mask.shape[1]
    row, column = mx.arange(length)[:, None], mx.arange(length)[None]
    near = row - column < window
    if bool((mask > 0).all()):
        return "causal", "causal" if length <= window else (column <= row) & near
    seen = (column <= row) & (mask[:, None, None] > 0) | (row == column)
    return seen, seen if length <= window else seen & near


class RMSNorm(nn.Module):
    """x / rms(x) · (1 + weight) in float32; mlx-lm's rounds 1 + weight to bfloat16, which costs a fifth of accuracy."""

    def __init__(self, dims: int, eps: float) -> None:
        super().__init__()
        self.weight = mx.zeros((dims,))
        self.eps = eps

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, 1 + self.weight.astype(mx.float32), self.eps).astype(x.dtype)


class MLP(nn.Module):
    """Gated by GELU-tanh, the curve computed in float32 as torch does."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(dim, hidden, bias=False)
        self.up_proj = nn.Linear(dim, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, dim, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        out: mx.array = self.down_proj(gelu_tanh(self.gate_proj(x)) * self.up_proj(x))
        return out


def _round_as_transformers_does(model: Any, config: GemmaConfig) -> None:
    """Exchanges the two parts of mlx-lm's model that round where transformers' doesn't."""
    width, eps = config.hidden_size, config.rms_norm_eps
    model.norm = RMSNorm(width, eps)
    for layer in model.layers:
        layer.input_layernorm, layer.post_attention_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        layer.pre_feedforward_layernorm, layer.post_feedforward_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        layer.self_attn.q_norm, layer.self_attn.k_norm = RMSNorm(config.head_dim, eps), RMSNorm(config.head_dim, eps)
        layer.mlp = MLP(width, config.intermediate_size)


def build(config: GemmaConfig, tensors: Mapping[str, mx.array], *, source: str) -> nn.Module:
    """mlx-lm's model with the configured sizes, its layers quantized where the tensors are; weights not yet loaded."""
    indices = {
        int(name.split(".")[1]) for name in tensors if name.startswith("layers.") and name.split(".")[1].isdecimal()
    }
    if indices != set(range(config.num_hidden_layers)):
        raise WeightsError(
            f"{source}: the configuration has {config.num_hidden_layers} layers, the weights have {len(indices)}"
        )
    embedding = tensors.get("embed_tokens.weight")
    if embedding is None:
        raise WeightsError(f"{source}: tensor embed_tokens.weight is missing")
    model = architecture(config, rows=embedding.shape[0])

    def quantization(path: str, module: nn.Module) -> dict[str, int] | bool:
        packed, scales = tensors.get(f"{path}.weight"), tensors.get(f"{path}.scales")
        if scales is None or packed is None or not hasattr(module, "to_quantized"):
            return False
        return _quantization(f"{source}: tensor {path}", module.weight.shape[-1], packed, scales)

    nn.quantize(model, class_predicate=quantization)
    prefer_unpacking(model)
    return model


def architecture(config: GemmaConfig, rows: int = 0) -> nn.Module:
    """mlx-lm's model with the configured sizes; `rows` is the vocabulary where the configuration names none."""
    gemma3_text = _mlx_lm().gemma3_text
    args = gemma3_text.ModelArgs(
        model_type="gemma3_text",
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        intermediate_size=config.intermediate_size,
        num_attention_heads=config.num_attention_heads,
        head_dim=config.head_dim,
        rms_norm_eps=config.rms_norm_eps,
        vocab_size=config.vocab_size or rows,
        num_key_value_heads=config.num_key_value_heads,
        rope_theta=config.rope_theta,
        rope_local_base_freq=config.rope_local_base_freq,
        query_pre_attn_scalar=config.query_pre_attn_scalar,
        sliding_window=config.sliding_window,
        sliding_window_pattern=config.sliding_window_pattern,
        max_position_embeddings=config.max_position_embeddings,
        rope_scaling={"rope_type": "linear", "factor": config.rope_factor},
    )
    model = gemma3_text.Gemma3Model(args)
    _round_as_transformers_does(model, config)
    return cast("nn.Module", model)


def _quantization(name: str, width: int, packed: mx.array, scales: mx.array) -> dict[str, int]:
    """Bits and group size are what the shapes say, so that mixed ones need no configuration."""
    bits, rest = divmod(32 * packed.shape[-1], width)
    group_size, left = divmod(width, max(scales.shape[-1], 1))
    if rest or left or bits not in BITS or group_size not in GROUP_SIZES:
        raise WeightsError(f"{name}: {packed.shape} with scales {scales.shape} is no quantization of width {width}")
    return {"group_size": group_size, "bits": bits}


class _MlxLm(NamedTuple):
    gemma3_text: ModuleType
    cache: ModuleType
    base: ModuleType


@lru_cache(maxsize=1)
def _mlx_lm() -> _MlxLm:
    """mlx-lm's layers and caches without the package's __init__, which imports transformers and what that finds.

    They need none of it, and 3.4 s become 0.2 s where torch is installed. Afterwards nothing is left behind: `import
    mlx_lm` elsewhere finds the package as ever.
    """
    names = [f"mlx_lm.models.{field}" for field in _MlxLm._fields]
    if "mlx_lm" in sys.modules:
        return _MlxLm(*map(importlib.import_module, names))
    spec = importlib.util.find_spec("mlx_lm")
    assert spec is not None, "mlx-lm is a dependency"
    sys.modules["mlx_lm"] = importlib.util.module_from_spec(spec)
    try:
        return _MlxLm(*map(importlib.import_module, names))
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mlx_lm"]:
            del sys.modules[name]
