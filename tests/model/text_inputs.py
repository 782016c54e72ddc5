"""Seeded configurations, weights and inputs of the text path, for the stored outputs and the live comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ltxbench.weights.tiny.tokenizer import tokenizer_config, tokenizer_json
from tests.model.seeded import weights

VOCABULARY = 300


def gemma_config(**changes: Any) -> dict[str, Any]:
    """A text configuration; every size that isn't given is small."""
    return {
        "model_type": "gemma3_text",
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "sliding_window": 8,
        "sliding_window_pattern": 3,
        "vocab_size": VOCABULARY,
        **changes,
    }


def gemma_shapes(config: Mapping[str, Any]) -> dict[str, list[int]]:
    width, mlp, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    layer = {
        "input_layernorm": [width],
        "post_attention_layernorm": [width],
        "pre_feedforward_layernorm": [width],
        "post_feedforward_layernorm": [width],
        "self_attn.q_proj": [queries, width],
        "self_attn.k_proj": [keys, width],
        "self_attn.v_proj": [keys, width],
        "self_attn.o_proj": [width, queries],
        "self_attn.q_norm": [size],
        "self_attn.k_norm": [size],
        "mlp.gate_proj": [mlp, width],
        "mlp.up_proj": [mlp, width],
        "mlp.down_proj": [width, mlp],
    }
    shapes = {"embed_tokens.weight": [config["vocab_size"], width], "norm.weight": [width]}
    for index in range(config["num_hidden_layers"]):
        shapes |= {f"layers.{index}.{name}.weight": shape for name, shape in layer.items()}
    return shapes


def gemma_weights(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, np.ndarray]:
    """One is added to a stored norm weight when it is used."""
    return {name: w - np.float32("norm" in name) for name, w in weights(shapes, seed).items()}


def save_gemma(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray] | None = None,
    *,
    seed: int = 0,
    prefix: str = "model.",
) -> Path:
    """A folder with weights, configuration and a tokenizer of Gemma's kind."""
    folder.mkdir(exist_ok=True)
    given = gemma_weights(gemma_shapes(config), seed) if tensors is None else tensors
    save_file({f"{prefix}{name}": array for name, array in given.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config()))
    return folder


def tokens(length: int, valid: Sequence[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """ids and mask [B, T], each row padded on the left to `length`."""
    mask = np.arange(length)[None] >= length - np.array(valid)[:, None]
    ids = np.random.RandomState(seed).randint(3, VOCABULARY, mask.shape)
    return np.where(mask, ids, 0), mask.astype(np.int64)


def hidden_states(layers: int, batch: int, length: int, dim: int, seed: int = 0) -> list[np.ndarray]:
    """As unlike each other as Gemma's: the scale grows, the mean is off 0."""
    random = np.random.RandomState(seed)
    return [
        (random.standard_normal((batch, length, dim)) * (1 + 30 * i) + i).astype(np.float32) for i in range(layers + 1)
    ]


def connector_shapes(dim: int, layers: int, registers: int, gemma_layers: int) -> dict[str, list[int]]:
    """Keys and shapes of the connector and the projection in the unified file."""
    block: dict[str, list[int]] = {"attn1.q_norm.weight": [dim], "attn1.k_norm.weight": [dim]}
    for name, outputs, inputs in (
        *((f"attn1.{part}", dim, dim) for part in ("to_q", "to_k", "to_v", "to_out.0")),
        ("ff.net.0.proj", 4 * dim, dim),
        ("ff.net.2", dim, 4 * dim),
    ):
        block |= {f"{name}.weight": [outputs, inputs], f"{name}.bias": [outputs]}
    prefix = "model.diffusion_model.video_embeddings_connector."
    shapes = {f"{prefix}learnable_registers": [registers, dim]}
    for index in range(layers):
        shapes |= {f"{prefix}transformer_1d_blocks.{index}.{name}": shape for name, shape in block.items()}
    return shapes | {"text_embedding_projection.aggregate_embed.weight": [dim, dim * (gemma_layers + 1)]}


def error(out: object, ref: np.ndarray) -> float:
    """||out - ref|| / ||ref||."""
    values, reference = np.asarray(out, np.float64), ref.astype(np.float64)
    assert values.shape == reference.shape
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))
