"""The diffusion transformer, its connectors and the text projection, in the layout of the unified 19B file."""

from __future__ import annotations

from ltxbench.weights.tiny.layers import Tensors, attention, feed_forward, linear, timestep_adaln
from ltxbench.weights.tiny.numbers import F32, normal
from ltxbench.weights.tiny.sizes import Sizes

GATES = (2, 5)
"""Rows of a block's [6,width] table that gate the attention's and the feed-forward's output."""

REGISTER_VARIETY = 0.3
"""Registers fill most of the 1,024 text positions; alike, they leave a short prompt something to say."""


def transformer(sizes: Sizes, label: str) -> Tensors:
    """Keys without `model.diffusion_model.`, audio included."""
    width, audio, latent = sizes.width, sizes.audio_width, sizes.latent_channels
    tensors = linear(label, "patchify_proj", width, latent)
    tensors |= timestep_adaln(label, "adaln_single", width, 6, sizes.time_sinusoid)
    tensors |= _caption_projection(label, "caption_projection", width, sizes.caption_width)
    tensors["scale_shift_table"] = normal(f"{label}/scale_shift_table", (2, width), 0.1)
    tensors |= linear(label, "proj_out", latent, width, gain=0.4)

    tensors |= linear(label, "audio_patchify_proj", audio, latent)
    tensors |= timestep_adaln(label, "audio_adaln_single", audio, 6, sizes.time_sinusoid)
    tensors |= _caption_projection(label, "audio_caption_projection", audio, sizes.caption_width)
    tensors["audio_scale_shift_table"] = normal(f"{label}/audio_scale_shift_table", (2, audio), 0.3)
    tensors |= linear(label, "audio_proj_out", latent, audio)
    for name, channels, rows in (
        ("video_scale_shift", width, 4),
        ("audio_scale_shift", audio, 4),
        ("a2v_gate", width, 1),
        ("v2a_gate", audio, 1),
    ):
        tensors |= timestep_adaln(label, f"av_ca_{name}_adaln_single", channels, rows, sizes.time_sinusoid)
    for index in range(sizes.blocks):
        tensors |= _block(sizes, label, f"transformer_blocks.{index}")
    return tensors


def _block(sizes: Sizes, label: str, name: str) -> Tensors:
    width, audio = sizes.width, sizes.audio_width
    tensors = {f"{name}.scale_shift_table": _gated_table(f"{label}/{name}", width)}
    tensors |= attention(label, f"{name}.attn1", width, width, width, gain=1.5)
    tensors |= attention(label, f"{name}.attn2", width, width, width, sharpness=3.0, gain=2.0)
    tensors |= feed_forward(label, f"{name}.ff", width)

    tensors[f"{name}.audio_scale_shift_table"] = _gated_table(f"{label}/{name}/audio", audio)
    tensors[f"{name}.scale_shift_table_a2v_ca_audio"] = normal(f"{label}/{name}/a2v_audio", (5, audio), 0.3)
    tensors[f"{name}.scale_shift_table_a2v_ca_video"] = normal(f"{label}/{name}/a2v_video", (5, width), 0.3)
    tensors |= attention(label, f"{name}.audio_attn1", audio, audio, audio)
    tensors |= attention(label, f"{name}.audio_attn2", audio, audio, audio)
    tensors |= feed_forward(label, f"{name}.audio_ff", audio)
    tensors |= attention(label, f"{name}.audio_to_video_attn", width, audio, audio)
    return tensors | attention(label, f"{name}.video_to_audio_attn", audio, width, audio)


def _gated_table(label: str, width: int) -> F32:
    table = normal(f"{label}/scale_shift_table", (6, width), 0.3)
    for row in GATES:
        table[row] += 1.0
    return table


def _caption_projection(label: str, name: str, width: int, caption_width: int) -> Tensors:
    return linear(label, f"{name}.linear_1", width, caption_width) | linear(
        label, f"{name}.linear_2", width, width, gain=1.5
    )


def connector(sizes: Sizes, label: str) -> Tensors:
    """Keys without `model.diffusion_model.{video,audio}_embeddings_connector.`."""
    width = sizes.connector_width
    common = normal(f"{label}/registers", (1, width))
    own = normal(f"{label}/learnable_registers", (sizes.registers, width), REGISTER_VARIETY)
    tensors: Tensors = {"learnable_registers": common + own}
    for index in range(sizes.connector_blocks):
        name = f"transformer_1d_blocks.{index}"
        tensors |= attention(label, f"{name}.attn1", width, width, width)
        tensors |= feed_forward(label, f"{name}.ff", width)
    return tensors


def text_projection(sizes: Sizes, label: str) -> Tensors:
    """[caption width, Gemma's width x (layers + 1)], no bias; the hidden states include the embedding."""
    inputs = sizes.gemma_width * (sizes.gemma_layers + 1)
    return linear(label, "aggregate_embed", sizes.caption_width, inputs, bias=False)
