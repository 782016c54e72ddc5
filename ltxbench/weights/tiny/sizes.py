"""How big `tiny` is. The geometry is the 19B's, only widths and depths are small."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 20260105
VERSION = 1
"""Raised whenever the same seed would yield other bytes; cached files of another version are made anew."""


@dataclass(frozen=True)
class Sizes:
    """Widths are multiples of 64, so that every linear of the transformer can be quantized in groups of 64."""

    heads: int = 1
    head_dim: int = 64
    blocks: int = 2
    caption_width: int = 128
    time_sinusoid: int = 256

    connector_heads: int = 1
    connector_head_dim: int = 128
    connector_blocks: int = 2
    registers: int = 128

    audio_width: int = 32
    lora_rank: int = 48

    latent_channels: int = 128
    patch: int = 4
    encoder_res_blocks: int = 1
    decoder_base: int = 8
    """Channels of the decoder's last stage; the first stage has 8 times as many."""
    decoder_res_blocks: int = 1

    upscaler_width: int = 32
    upscaler_blocks: int = 1

    gemma_width: int = 64
    gemma_layers: int = 3
    gemma_heads: int = 2
    gemma_kv_heads: int = 1
    gemma_head_dim: int = 32
    gemma_mlp: int = 128
    gemma_window: int = 1024
    gemma_pattern: int = 3

    @property
    def width(self) -> int:
        return self.heads * self.head_dim

    @property
    def connector_width(self) -> int:
        return self.connector_heads * self.connector_head_dim


SIZES = Sizes()
