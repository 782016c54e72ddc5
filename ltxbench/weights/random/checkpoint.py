"""Random weights behind the interface of a checkpoint file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.weights.random.draw import Tensor, draw


class RandomCheckpoint(Checkpoint):
    """Shapes and configuration without a file; `path` is only a name for messages."""

    def __init__(self, name: str, tensors: Mapping[str, Tensor], config: Mapping[str, Any], seed: int) -> None:
        self.path = Path(name)
        self.metadata = {}
        self.config = dict(config)
        self.shapes = {key: tensor.shape for key, tensor in tensors.items()}
        self.dtypes = {key: tensor.dtype for key, tensor in tensors.items()}
        self._tensors = tensors
        self._seed = seed

    def _lazy(self, keys: Iterable[str]) -> dict[str, mx.array]:
        return {key: draw(self._tensors[key], self._seed) for key in keys}
