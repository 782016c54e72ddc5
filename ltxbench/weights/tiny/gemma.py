"""A small Gemma 3 in the layout of the published multimodal folder: text model, and a scrap of vision to skip."""

from __future__ import annotations

from typing import Any

from ltxbench.weights.tiny.layers import Tensors, linear, under
from ltxbench.weights.tiny.numbers import F32, normal
from ltxbench.weights.tiny.sizes import Sizes
from ltxbench.weights.tiny.tokenizer import END_OF_TURN, EOS, vocabulary, word_ids

WORD_STD = 0.4
OTHER_STD = 0.02
"""Embeddings are also the output layer: a small row is a token that is hardly ever written."""
LOUDNESS = 20.0
"""How much a layer adds beside the embedding; with little the model repeats its last word."""


def text_config(sizes: Sizes) -> dict[str, Any]:
    return {
        "model_type": "gemma3_text",
        "hidden_size": sizes.gemma_width,
        "num_hidden_layers": sizes.gemma_layers,
        "intermediate_size": sizes.gemma_mlp,
        "num_attention_heads": sizes.gemma_heads,
        "num_key_value_heads": sizes.gemma_kv_heads,
        "head_dim": sizes.gemma_head_dim,
        "query_pre_attn_scalar": sizes.gemma_head_dim,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        "sliding_window": sizes.gemma_window,
        "sliding_window_pattern": sizes.gemma_pattern,
        "max_position_embeddings": 131072,
        "vocab_size": len(vocabulary()),
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False,
        "torch_dtype": "bfloat16",
    }


def config(sizes: Sizes) -> dict[str, Any]:
    return {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "vocab_size": len(vocabulary()),
        "bos_token_id": 2,
        "eos_token_id": [EOS, END_OF_TURN],
        "pad_token_id": 0,
        "torch_dtype": "bfloat16",
        "text_config": text_config(sizes),
    }


def generation_config() -> dict[str, Any]:
    return {"bos_token_id": 2, "eos_token_id": [EOS, END_OF_TURN], "pad_token_id": 0, "do_sample": True}


def gemma(sizes: Sizes, label: str) -> Tensors:
    width, inner = sizes.gemma_width, sizes.gemma_heads * sizes.gemma_head_dim
    keys = sizes.gemma_kv_heads * sizes.gemma_head_dim
    embedding = normal(f"{label}/embed_tokens", (len(vocabulary()), width), OTHER_STD)
    embedding[word_ids()] *= WORD_STD / OTHER_STD
    tensors: Tensors = {"embed_tokens.weight": embedding, "norm.weight": _norm(f"{label}/norm", width)}
    for index in range(sizes.gemma_layers):
        name = f"layers.{index}"
        for norm, loudness in (
            ("input_layernorm", 1.0),
            ("post_attention_layernorm", LOUDNESS),
            ("pre_feedforward_layernorm", 1.0),
            ("post_feedforward_layernorm", LOUDNESS),
        ):
            tensors[f"{name}.{norm}.weight"] = _norm(f"{label}/{name}.{norm}", width, loudness)
        attention = f"{name}.self_attn"
        for part, outputs, inputs in (
            ("q_proj", inner, width),
            ("k_proj", keys, width),
            ("v_proj", keys, width),
            ("o_proj", width, inner),
        ):
            tensors |= linear(label, f"{attention}.{part}", outputs, inputs, bias=False)
        tensors[f"{attention}.q_norm.weight"] = _norm(f"{label}/{attention}.q_norm", sizes.gemma_head_dim, 2.0)
        tensors[f"{attention}.k_norm.weight"] = _norm(f"{label}/{attention}.k_norm", sizes.gemma_head_dim)
        for part, outputs, inputs in (
            ("gate_proj", sizes.gemma_mlp, width),
            ("up_proj", sizes.gemma_mlp, width),
            ("down_proj", width, sizes.gemma_mlp),
        ):
            tensors |= linear(label, f"{name}.mlp.{part}", outputs, inputs, bias=False)
    vision = {
        "vision_tower.vision_model.post_layernorm.weight": normal(f"{label}/vision", (16,), 0.1, 1.0),
        "multi_modal_projector.mm_input_projection_weight": normal(f"{label}/projector", (16, width), 0.1),
    }
    return under("language_model.model.", tensors) | vision


def _norm(label: str, width: int, scale: float = 1.0) -> F32:
    """Gemma adds one to the stored weight."""
    return normal(label, (width,), 0.05, scale - 1.0)
