"""Stored outputs of Gemma 3 in transformers, and of the official feature extractor and connector."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tests.model.seeded import Stored
from tests.model.text_inputs import gemma_config, gemma_shapes, hidden_states, tokens
from tests.parity.reference_text import official_hidden_states, official_text, random_gemma

SEED = 7


def write(folder: Path) -> None:
    """Writes gemma.safetensors and text.safetensors into `folder`."""
    config = gemma_config(rope_scaling={"rope_type": "linear", "factor": 8.0})
    length, valid = 20, 15
    with tempfile.TemporaryDirectory() as scratch:
        model = random_gemma(config, Path(scratch), SEED)
    states = official_hidden_states(model, *tokens(length, [valid]))
    outputs = {f"state_{index}": np.ascontiguousarray(state[:, -valid:]) for index, state in enumerate(states)}
    inputs = {"length": [length], "valid": [valid]}
    Stored(config, gemma_shapes(config), SEED, inputs, outputs).write(folder / "gemma.safetensors")

    heads, head_dim, gemma_layers, length = 2, 20, 2, 32
    official = official_text(
        heads=heads, head_dim=head_dim, layers=2, registers=8, gemma_layers=gemma_layers, seed=SEED
    )
    hidden = hidden_states(gemma_layers, 1, length, heads * head_dim)
    outputs = {}
    for valid in (1, 13, 32):
        mask = (np.arange(length)[None] >= length - valid).astype(np.int64)
        outputs[f"features_{valid}"] = np.ascontiguousarray(official.features(hidden, mask)[:, -valid:])
        outputs[f"context_{valid}"] = official.context(hidden, mask)
    shapes = {name: list(shape) for name, shape in official.shapes.items()}
    inputs = {"hidden": [gemma_layers, 1, length, heads * head_dim]}
    Stored(official.config, shapes, SEED, inputs, outputs).write(folder / "text.safetensors")
