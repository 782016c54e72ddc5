"""Audio VAE and vocoder, two or three tensors a part: enough for a video loader to have something to skip."""

from __future__ import annotations

from ltxbench.weights.tiny.layers import Tensors, conv, under
from ltxbench.weights.tiny.numbers import normal
from ltxbench.weights.tiny.sizes import Sizes


def audio_vae(sizes: Sizes, label: str) -> Tensors:
    """Keys without `audio_vae.`."""
    width, square = 16, (3, 3)
    statistics = {
        "mean-of-means": normal(f"{label}/mean-of-means", (sizes.latent_channels,), 0.1),
        "std-of-means": normal(f"{label}/std-of-means", (sizes.latent_channels,), 0.1, 1.0),
    }
    tensors = under("per_channel_statistics.", statistics)
    for name, outputs, inputs in (
        ("encoder.conv_in", width, 2),
        ("encoder.down.0.block.0.conv1", width, width),
        ("encoder.down.0.block.0.conv2", width, width),
        ("encoder.mid.block_1.conv1", width, width),
        ("encoder.mid.block_1.conv2", width, width),
        ("encoder.conv_out", 16, width),
        ("decoder.conv_in", width, 8),
        ("decoder.mid.block_1.conv1", width, width),
        ("decoder.mid.block_1.conv2", width, width),
        ("decoder.up.0.block.0.conv1", width, width),
        ("decoder.up.0.block.0.conv2", width, width),
        ("decoder.conv_out", 2, width),
    ):
        tensors |= conv(label, f"{name}.conv", outputs, inputs, square)
    return tensors


def vocoder(sizes: Sizes, label: str) -> Tensors:
    """Keys without `vocoder.`."""
    wide, narrow = 32, 16
    tensors = conv(label, "conv_pre", wide, sizes.latent_channels, (7,))
    # A transposed convolution: PyTorch keeps its weight as [in,out,kernel].
    tensors["ups.0.weight"] = normal(f"{label}/ups.0.weight", (wide, narrow, 16), 0.05)
    tensors["ups.0.bias"] = normal(f"{label}/ups.0.bias", (narrow,), 0.02)
    for branch in ("convs1", "convs2"):
        tensors |= conv(label, f"resblocks.0.{branch}.0", narrow, narrow, (3,))
    return tensors | conv(label, "conv_post", 2, narrow, (7,))
