"""The set of files that a run reads."""

from __future__ import annotations

from pathlib import Path

from ltxbench.errors import WeightsError
from ltxbench.frozen import Frozen

DISTILLED = "ltx-2-19b-distilled.safetensors"
DEV = "ltx-2-19b-dev.safetensors"
DISTILLED_LORA = "ltx-2-19b-distilled-lora-384.safetensors"
UPSCALER = "ltx-2-spatial-upscaler-x2-1.0.safetensors"
GEMMA = "gemma-3-12b-it-qat-q4_0-unquantized"
GEMMA_4BIT = "gemma-3-12b-it-qat-4bit"

RANDOM = "random"
"""The kind of random weights of the 19B."""
FROM_DISK = ", from disk"
"""Ends the kind of random weights that were written as files first."""


class RandomWeights(Frozen):
    """Weights that no file holds: they are drawn where and when they are needed."""

    seed: int
    size: str
    """A name in ltxbench.weights.random.sizes."""


class WeightFiles(Frozen):
    """Paths in the official layout. None: this set does not have it, and no case may need it."""

    kind: str
    """tiny, official, random, or the folder as it was given."""
    synthetic: bool
    distilled: Path | None
    """Unified checkpoint: transformer, connectors, text projection, VAE."""
    dev: Path | None
    distilled_lora: Path | None
    upscaler: Path | None
    gemma: Path | None
    """Folder: config.json, tokenizer.json, *.safetensors."""
    random: RandomWeights | None = None
    """In place of all paths."""


def required(path: Path | None, what: str, files: WeightFiles) -> Path:
    """`path`, or a WeightsError that says what the set `files` lacks."""
    if path is None:
        raise WeightsError(
            f"the weights `{files.kind}` have no file for {what}", hint="`ltxbench models list` says what is needed."
        )
    return path
