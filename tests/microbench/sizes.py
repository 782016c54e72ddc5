"""How large the benchmarks are: a smoke test for `make test`, two CPU cores, or an accelerator at full size."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True)
class Sizes:
    name: str
    dtype: mx.Dtype
    """As the engine computes on such a device."""
    heads: int
    """Of 128 channels each, unless the model is smaller than that."""
    tokens: tuple[int, int]
    text_tokens: int
    whole: tuple[int, int, int]
    """Heads, blocks and tokens of the whole transformer."""
    decoder_base: int
    latents: tuple[tuple[int, int, int], ...]
    """Cells (F, H, W) that the decoder is given."""
    gemma: tuple[int, int]
    """Heads and layers; 16 and 48 are Gemma 3 12B's."""
    prompt_tokens: int
    linear: tuple[int, int]
    """Rows and width."""
    cases: tuple[int, ...]
    rounds: int

    @property
    def head_dim(self) -> int:
        return 128 if self.name != "smoke" else 64


SMOKE = Sizes("smoke", mx.float32, 1, (8, 16), 8, (1, 2, 8), 8, ((2, 2, 2),), (1, 2), 8, (4, 64), (2,), 1)
CPU = Sizes(
    "cpu",
    mx.float32,
    heads=4,
    tokens=(384, 1536),
    text_tokens=1024,
    whole=(2, 8, 384),
    decoder_base=16,
    latents=((2, 8, 8),),
    gemma=(4, 6),
    prompt_tokens=128,
    linear=(512, 2048),
    cases=(40, 1000),
    rounds=5,
)
FULL = Sizes(
    "full",
    mx.bfloat16,
    heads=32,
    tokens=(1536, 6144),
    text_tokens=1024,
    whole=(32, 48, 1536),
    decoder_base=128,
    latents=((4, 16, 24), (16, 16, 24)),
    gemma=(16, 48),
    prompt_tokens=128,
    linear=(1536, 4096),
    cases=(40, 1000),
    rounds=10,
)
# Sizes are chosen while the benchmarks are collected, before any of them runs.
LARGEST = FULL if mx.default_device().type == mx.DeviceType.gpu else CPU
