"""The transformer, the decoder, the text encoder and their linear layers."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import pytest

from ltxbench.model.flops import forward_flops
from ltxbench.model.text import gemma_states
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.vae.decoding import decode_video
from ltxbench.model.vae.tiling import OFFICIAL
from tests.microbench.modules import decoder, filled, noise, text_encoder, transformer
from tests.microbench.sizes import Sizes


def block_flops(sizes: Sizes, tokens: int) -> int:
    one, two = (
        TransformerConfig(num_attention_heads=sizes.heads, attention_head_dim=sizes.head_dim, num_layers=layers)
        for layers in (1, 2)
    )
    return forward_flops(two, tokens, sizes.text_tokens) - forward_flops(one, tokens, sizes.text_tokens)


@pytest.mark.benchmark(group="transformer")
def test_transformer_block(measure, sizes: Sizes, tokens: int) -> None:
    model = transformer(sizes, sizes.heads, blocks=1)
    block, config = model.transformer_blocks[0], model.config
    grid = (1, 1, tokens)
    conditioning = model.prepare(noise(1, sizes.text_tokens, config.caption_channels), grid, 24.0)
    x = noise(1, tokens, config.dim).astype(sizes.dtype)
    modulation, _ = model.adaln_single(mx.array([[500.0]]), sizes.dtype)
    mx.eval(x, modulation)

    def forward() -> mx.array:
        out = block(x, modulation, conditioning.rotation, conditioning.text[0])
        mx.eval(out)
        return out

    assert measure(forward, flops=block_flops(sizes, tokens)).shape == x.shape


@pytest.mark.benchmark(group="transformer")
def test_whole_transformer(measure, sizes: Sizes) -> None:
    heads, blocks, tokens = sizes.whole
    model = transformer(sizes, heads, blocks)
    config = model.config
    conditioning = model.prepare(noise(1, sizes.text_tokens, config.caption_channels), (1, 1, tokens), 24.0)
    latent, level = noise(1, tokens, config.in_channels), mx.array([0.5])

    def forward() -> mx.array:
        velocity = model(latent, level, conditioning)
        mx.eval(velocity)
        return velocity

    velocity = measure(forward, flops=forward_flops(config, tokens, sizes.text_tokens))
    assert velocity.shape == latent.shape


@pytest.mark.benchmark(group="text")
def test_preparing_the_text(measure, sizes: Sizes) -> None:
    heads, _, _ = sizes.whole
    model = transformer(sizes, heads, blocks=2)
    context = noise(1, sizes.text_tokens, model.config.caption_channels)
    assert measure(lambda: model.prepare(context, (1, 2, 2), 24.0)).batch == 1


@pytest.mark.benchmark(group="text")
def test_text_encoding(measure, sizes: Sizes) -> None:
    encoder = text_encoder(sizes)
    ids = mx.array([[5 + index for index in range(sizes.prompt_tokens)]])

    def encode() -> mx.array:
        states = gemma_states(encoder, (ids, mx.ones(ids.shape, mx.int32))).normalized
        mx.eval(states)
        return states

    assert measure(encode).shape[1] == sizes.prompt_tokens


@pytest.mark.benchmark(group="vae")
def test_vae_decoding(measure, sizes: Sizes, cells: tuple[int, int, int]) -> None:
    video = decoder(sizes)
    latent = noise(1, video.config.latent_channels, *cells)
    frames = measure(lambda: decode_video(video, latent, OFFICIAL))
    assert len(frames) == 8 * (cells[0] - 1) + 1


@pytest.mark.benchmark(group="linear")
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "qint8", "int4"])
def test_linear(measure, sizes: Sizes, kind: str) -> None:
    rows, width = sizes.linear
    dtype = {"float32": mx.float32, "bfloat16": mx.bfloat16}.get(kind, sizes.dtype)
    if sizes.name == "cpu" and kind != "float32":
        rows = rows // 8  # neither has a fast path on a CPU
    layer: nn.Module = filled(nn.Linear(width, width), dtype)
    bits = {"qint8": 8, "int4": 4}.get(kind)
    if bits is not None:
        layer = nn.QuantizedLinear.from_linear(layer, group_size=64, bits=bits)
    x = noise(rows, width).astype(dtype)
    mx.eval(x, layer.parameters())

    def multiply() -> mx.array:
        out = layer(x)
        mx.eval(out)
        return out

    assert measure(multiply, flops=2 * rows * width * width).shape == (rows, width)
