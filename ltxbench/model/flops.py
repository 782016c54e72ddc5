"""Floating-point operations of the video transformer: matrix products only, two for each multiply-add."""

from __future__ import annotations

from ltxbench.model.transformer_config import TransformerConfig

SINUSOID_CHANNELS = 256
MODULATION_ROWS = 6


def forward_flops(
    config: TransformerConfig, tokens: int, text_tokens: int, *, text_cached: bool = True, per_token: bool = False
) -> int:
    """Of one forward of one sample.

    text_cached  the caption projection and the keys and values of the text are not computed again (`text_flops`)
    per_token    every token has its own noise level, so that each is embedded
    """
    d, n, t = config.dim, tokens, text_tokens
    # Self-attention: q, k, v, out. Cross-attention: q, out. Feed-forward: two layers of 4 d.
    projections = (4 + 2 + 8) * n * d * d
    scores_and_values = 2 * n * n * d + 2 * n * t * d
    levels = n if per_token else 1
    embedding = (SINUSOID_CHANNELS * d + d * d + MODULATION_ROWS * d * d) * levels
    ends = n * d * (config.in_channels + config.out_channels)
    flops = 2 * (config.num_layers * (projections + scores_and_values) + embedding + ends)
    return flops if text_cached else flops + text_flops(config, text_tokens)


def text_flops(config: TransformerConfig, text_tokens: int) -> int:
    """Of what is computed once for one prompt: caption projection, every block's keys and values."""
    d, t = config.dim, text_tokens
    return 2 * t * (config.caption_channels * d + d * d + config.num_layers * 2 * d * d)


def skipped_attention_flops(config: TransformerConfig, tokens: int) -> int:
    """Of what one block leaves out when every token attends to itself alone: queries, keys and the scores' products."""
    d, n = config.dim, tokens
    return 2 * (2 * n * d * d + 2 * n * n * d)


def parameter_count(config: TransformerConfig) -> int:
    """Of the video transformer, biases and tables included."""
    d = config.dim
    attention = 4 * (d * d + d) + 2 * d
    feed_forward = 4 * d * d + 4 * d + 4 * d * d + d
    block = 2 * attention + feed_forward + MODULATION_ROWS * d
    embedder = (SINUSOID_CHANNELS * d + d) + (d * d + d)
    modulation = MODULATION_ROWS * (d * d + d)
    captions = (config.caption_channels * d + d) + (d * d + d)
    ends = (config.in_channels * d + d) + (d * config.out_channels + config.out_channels) + 2 * d
    return config.num_layers * block + embedder + modulation + captions + ends
