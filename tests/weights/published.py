"""The published files' headers at full size, without their contents: sparse files take no room on the disk.

tests/fixtures/layout_19b.json lists every key and shape of the unified 19B file and of the upscaler, as the official
classes have them; the transformer's blocks, all alike, once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ltxbench.weights.safetensors_file import header

FIXTURE = Path(__file__).parents[1] / "fixtures" / "layout_19b.json"
BLOCKS = "model.diffusion_model.transformer_blocks."

Shapes = dict[str, tuple[int, ...]]


@cache
def _layout() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FIXTURE.read_text())
    return content


def unified_shapes() -> Shapes:
    layout = _layout()
    blocks = {
        f"{BLOCKS}{index}.{name}": tuple(shape)
        for index in range(layout["blocks"])
        for name, shape in layout["block"].items()
    }
    return {key: tuple(shape) for key, shape in layout["rest"].items()} | blocks


def unified_config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(_layout()["config"]))
    return config


def upscaler_shapes() -> Shapes:
    return {key: tuple(shape) for key, shape in _layout()["upscaler"].items()}


def upscaler_config() -> dict[str, Any]:
    return dict(_layout()["upscaler_config"])


def lora_shapes(rank: int = 384) -> Shapes:
    """Pairs for every linear of the transformer and for the projection, as the published file's size implies."""
    shapes: Shapes = {}
    for key, shape in unified_shapes().items():
        if len(shape) != 2 or not key.endswith(".weight") or "connector" in key:
            continue
        path = key.removesuffix(".weight").removeprefix("model.")
        own = min(rank, *shape)
        shapes |= {f"{path}.lora_A.weight": (own, shape[1]), f"{path}.lora_B.weight": (shape[0], own)}
    return shapes


def write_sparse(path: Path, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any] | None = None) -> Path:
    """A valid file of full length whose tensors are all zeros; tables in F32, everything else in BF16."""
    layout = []
    size = 0
    for key, shape in sorted(shapes.items(), key=lambda item: "scale_shift_table" not in item[0]):
        dtype, width = ("F32", 4) if "scale_shift_table" in key else ("BF16", 2)
        layout.append((key, dtype, shape, width))
        size += math.prod(shape) * width
    start = header(layout, {"config": json.dumps(config)} if config is not None else {})
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + size)
    return path
