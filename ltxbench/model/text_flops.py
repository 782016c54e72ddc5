"""Floating-point operations of encoding a prompt: matrix products and attention, two for each multiply-add."""

from __future__ import annotations

from ltxbench.model.connector import ConnectorConfig
from ltxbench.model.gemma_files import GemmaConfig


def gemma_flops(config: GemmaConfig, tokens: int) -> int:
    """Of the hidden states of one prompt of `tokens` tokens; attention counted without its mask."""
    width, queries = config.hidden_size, config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    weights = 2 * width * queries + 2 * width * keys + 3 * width * config.intermediate_size
    return config.num_hidden_layers * (2 * tokens * weights + 4 * tokens * tokens * queries)


def projection_flops(config: ConnectorConfig, in_dims: int, tokens: int, length: int) -> int:
    """Of features [tokens, in_dims] to the connector's width, and of the connector over `length` positions."""
    width = config.dim
    features = 2 * tokens * in_dims * width
    block = 2 * length * (4 + 8) * width * width + 4 * length * length * width
    return features + config.layers * block
