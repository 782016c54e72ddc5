"""The small official transformer of the stored fixtures, and variations of its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import mlx.core as mx

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.transformer import PREFIX, VideoTransformer, is_not_video
from tests.model.golden import FIXTURES

FILE = FIXTURES / "transformer.safetensors"
GRID, FPS = (2, 3, 4), 24.0


@cache
def stored(name: str) -> dict[str, mx.array]:
    arrays = mx.load(str(FIXTURES / f"{name}.safetensors"))
    assert isinstance(arrays, dict)
    return arrays


def config(**fields: Any) -> dict[str, Any]:
    """The stored file's configuration with some fields of its transformer changed; None takes a field out."""
    section = Checkpoint(FILE).config["transformer"] | fields
    return {"transformer": {key: value for key, value in section.items() if value is not None}}


def weights(*, video_only: bool = False) -> dict[str, mx.array]:
    return {
        key: value
        for key, value in stored("transformer").items()
        if key.startswith(PREFIX) and not (video_only and is_not_video(key.removeprefix(PREFIX)))
    }


def write(path: Path, tensors: Mapping[str, mx.array], config: Mapping[str, Any]) -> Checkpoint:
    mx.save_safetensors(str(path), dict(tensors), metadata={"config": json.dumps(config)})
    return Checkpoint(path)


def transformer(dtype: mx.Dtype = mx.float32) -> VideoTransformer:
    return VideoTransformer.from_checkpoint(Checkpoint(FILE), dtype)
