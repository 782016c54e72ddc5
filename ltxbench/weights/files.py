"""The set of files that a run reads."""

from __future__ import annotations

from pathlib import Path

from ltxbench.frozen import Frozen


class WeightFiles(Frozen):
    """Paths in the official layout. None: this set does not have it, and no case may need it."""

    kind: str
    """tiny, official, or the folder's name."""
    synthetic: bool
    distilled: Path | None
    """Unified checkpoint: transformer, connectors, text projection, VAE."""
    dev: Path | None
    distilled_lora: Path | None
    upscaler: Path | None
    gemma: Path | None
    """Folder: config.json, tokenizer.json, *.safetensors."""
