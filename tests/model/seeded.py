"""Random weights made of their names, shapes and a seed alone, so that stored outputs need no stored weights.

RandomState's streams are frozen by NumPy's compatibility policy, unlike those of the newer generators.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

FIXTURES = Path(__file__).parents[1] / "fixtures"
STRIDE = 211
"""Stored outputs keep every 211th value: prime, so that all phases of every axis occur."""


def weights(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, np.ndarray]:
    """Matrices that keep the signal's size; scales near 1; biases and means that matter."""
    random = np.random.RandomState(seed)
    made = {}
    for name, shape in sorted(shapes.items()):
        values = random.standard_normal(tuple(shape))
        if name.endswith("blur_down.kernel"):
            binomial = np.array([1, 4, 6, 4, 1]) / 16
            values = np.outer(binomial, binomial)[None, None]
        elif "std-of" in name or ("norm" in name and name.endswith("weight")):
            values = 1 + 0.2 * values.clip(-3, 3)
        elif values.ndim > 1:
            values /= values[0].size ** 0.5
        else:
            values *= 0.3
        made[name] = values.astype(np.float32)
    return made


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def save_checkpoint(path: Path, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> Path:
    save_file(dict(tensors), path, metadata={"config": json.dumps(config)})
    return path


@dataclass(frozen=True)
class Stored:
    """Outputs of the official code for seeded weights and inputs."""

    config: dict[str, Any]
    shapes: dict[str, list[int]]
    """Every key of the official module."""
    seed: int
    inputs: dict[str, list[int]]
    outputs: dict[str, np.ndarray]

    @classmethod
    def read(cls, name: str) -> Stored:
        with safe_open(FIXTURES / name, framework="numpy") as file:
            fields = json.loads(file.metadata()["stored"])
            return cls(**fields, outputs={key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118

    def write(self, path: Path) -> None:
        fields = {"config": self.config, "shapes": self.shapes, "seed": self.seed, "inputs": self.inputs}
        save_file(self.outputs, path, metadata={"stored": json.dumps(fields)})

    def checkpoint(self, path: Path) -> Path:
        """The file that the official module's weights would be saved in."""
        return save_checkpoint(path, weights(self.shapes, self.seed), self.config)

    def error(self, output: str, values: object) -> float:
        """Relative error of the kept values."""
        kept, reference = thinned(np.asarray(values)), self.outputs[output].astype(np.float64)
        assert kept.shape == reference.shape
        return float(np.linalg.norm(kept - reference) / np.linalg.norm(reference))


def thinned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(-1)[::STRIDE])
