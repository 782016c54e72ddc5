"""Parts of the pipeline with random weights, made on the device."""

from __future__ import annotations

from typing import TypeVar

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from ltxbench.model.gemma import TextEncoder, build
from ltxbench.model.gemma_files import GemmaConfig
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.vae.config import DecoderConfig
from ltxbench.model.vae.decoder import Decoder, VideoDecoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from tests.microbench.sizes import Sizes

Module = TypeVar("Module", bound=nn.Module)


def filled(module: Module, dtype: mx.Dtype) -> Module:
    """One tensor after the other, so that nothing larger than the module itself is ever in memory."""
    for number, (name, old) in enumerate(tree_flatten(module.parameters())):
        if mx.issubdtype(old.dtype, mx.floating):
            spread = (old.shape[-1] if old.ndim > 1 else 1) ** -0.5
            new = mx.random.normal(old.shape, scale=0.5 * spread, key=mx.random.key(number)).astype(dtype)
            module.load_weights([(name, new)], strict=False)
            mx.eval(new)
    return module


def transformer(sizes: Sizes, heads: int, blocks: int) -> VideoTransformer:
    head_dim = sizes.head_dim
    config = TransformerConfig(num_attention_heads=heads, attention_head_dim=head_dim, num_layers=blocks)
    model = filled(VideoTransformer(config), sizes.dtype)
    model.join_products()
    return model


def decoder(sizes: Sizes) -> VideoDecoder:
    """The 19B's structure."""
    vae = {"decoder_base_channels": sizes.decoder_base}
    config = DecoderConfig.from_json(vae, source="microbench")
    return VideoDecoder(config, filled(Decoder(config), sizes.dtype), PerChannelStatistics(config.latent_channels))


def text_encoder(sizes: Sizes) -> TextEncoder:
    """Gemma's layers in 4 bit; on a CPU, where that has no fast path, in float32."""
    heads, layers = sizes.gemma
    width = 256 * heads if sizes.name != "full" else 3840
    config = GemmaConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        vocab_size=1024,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
    )
    names = {f"layers.{index}.x": mx.zeros(1) for index in range(layers)} | {"embed_tokens.weight": mx.zeros((1024, 1))}
    model = filled(build(config, names, source="microbench"), sizes.dtype)
    if sizes.name != "cpu":
        nn.quantize(model, group_size=64, bits=4)
        mx.eval(model.parameters())
    return TextEncoder(model, config)


def noise(*shape: int, seed: int = 0) -> mx.array:
    array = mx.array(np.random.Generator(np.random.Philox(seed)).standard_normal(shape, np.float32))
    mx.eval(array)
    return array
