"""How big random weights are. The default is LTX-2 19B with Gemma 3 12B."""

from __future__ import annotations

from dataclasses import dataclass

from ltxbench.errors import WeightsError
from ltxbench.weights.tiny.sizes import SIZES as TINY
from ltxbench.weights.tiny.sizes import Sizes as TinySizes

VERSION = 1
"""Raised whenever the same seed and sizes would yield other values."""


@dataclass(frozen=True)
class Sizes(TinySizes):
    """Source: the official configuration of the 19B, and google/gemma-3-12b-it's."""

    heads: int = 32
    head_dim: int = 128
    blocks: int = 48
    caption_width: int = 3840

    connector_heads: int = 30
    audio_width: int = 2048
    """Stated in the configuration; no audio tensor is drawn."""
    lora_rank: int = 384

    encoder_res_blocks: int = 4
    decoder_base: int = 128
    decoder_res_blocks: int = 5

    upscaler_width: int = 1024
    upscaler_blocks: int = 4

    gemma_width: int = 3840
    gemma_layers: int = 48
    gemma_heads: int = 16
    gemma_kv_heads: int = 8
    gemma_head_dim: int = 256
    gemma_mlp: int = 15_360
    gemma_pattern: int = 6
    gemma_vocabulary: int = 262_208
    gemma_bits: int = 4
    gemma_group: int = 64


SMALL = Sizes(
    heads=TINY.heads,
    head_dim=TINY.head_dim,
    blocks=TINY.blocks,
    caption_width=TINY.caption_width,
    connector_heads=TINY.connector_heads,
    audio_width=TINY.audio_width,
    lora_rank=TINY.lora_rank,
    encoder_res_blocks=TINY.encoder_res_blocks,
    decoder_base=TINY.decoder_base,
    decoder_res_blocks=TINY.decoder_res_blocks,
    upscaler_width=TINY.upscaler_width,
    upscaler_blocks=TINY.upscaler_blocks,
    gemma_width=TINY.gemma_width,
    gemma_layers=TINY.gemma_layers,
    gemma_heads=TINY.gemma_heads,
    gemma_kv_heads=TINY.gemma_kv_heads,
    gemma_head_dim=TINY.gemma_head_dim,
    gemma_mlp=TINY.gemma_mlp,
    gemma_pattern=TINY.gemma_pattern,
    gemma_vocabulary=2048,
)
"""As wide and deep as `tiny`."""

PRESETS = {"19b": Sizes(), "small": SMALL}
DEFAULT = "19b"


def sizes_of(name: str) -> Sizes:
    """Raises WeightsError for a size that there is not."""
    if name not in PRESETS:
        raise WeightsError(
            f"random weights have no size {name!r}", hint=f"Sizes: {', '.join(PRESETS)}, as in `random:small`."
        )
    return PRESETS[name]
