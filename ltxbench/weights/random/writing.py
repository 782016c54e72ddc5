"""Writes random weights tensor by tensor: never more than one of them is in memory. Runs in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.errors import ResourceError
from ltxbench.weights.files import RandomWeights
from ltxbench.weights.random.disk import NAMES
from ltxbench.weights.random.draw import Tensor, draw
from ltxbench.weights.random.parts import FILES, GEMMA_PREFIX, gemma_fields
from ltxbench.weights.random.sizes import VERSION, Sizes, sizes_of
from ltxbench.weights.safetensors_file import header
from ltxbench.weights.tiny import config, gemma, tokenizer

MARKER = "random.json"
"""What the files were drawn from, and the size of each that is complete."""
SPARE_BYTES = 1 << 30
"""What must stay free on the disk."""
PARTIAL = ".partial"


@dataclass(frozen=True)
class RandomFile:
    """One safetensors file to be."""

    path: Path
    tensors: Mapping[str, Tensor]
    """Wider elements first, so that every tensor is aligned."""
    head: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.head) + sum(tensor.size_bytes for tensor in self.tensors.values())


class Missing(NamedTuple):
    model: str
    key: str
    """In the marker."""
    file: RandomFile


def missing(folder: Path, weights: RandomWeights, names: list[str]) -> list[Missing]:
    """What is to be written for the named models, by what the marker and the files' sizes say."""
    sizes = sizes_of(weights.size)
    complete = _complete(folder / MARKER, _generator(weights))
    found = []
    for name in names:
        file = planned(folder, name, sizes)
        key = file.path.relative_to(folder).as_posix()
        if complete.get(key) != file.size_bytes or not _has_size(file.path, file.size_bytes):
            found.append(Missing(name, key, file))
    return found


def write_missing(folder: Path, weights: RandomWeights, names: list[str]) -> None:
    """Raises ResourceError before anything is written if not all of it fits, OSError when writing fails."""
    for stray in folder.rglob(f"*{PARTIAL}"):
        stray.unlink()
    todo = missing(folder, weights, names)
    _check_disk(folder, sum(each.file.size_bytes for each in todo))
    generator = _generator(weights)
    complete = _complete(folder / MARKER, generator)
    for model, key, file in todo:
        write_file(file, weights.seed)
        if model == "gemma":
            _write_gemma_settings(file.path.parent, sizes_of(weights.size))
        complete[key] = file.size_bytes
        _replace(folder / MARKER, json.dumps({"generator": generator, "files": complete}, indent=1).encode() + b"\n")


def _generator(weights: RandomWeights) -> dict[str, Any]:
    return {"version": VERSION, "seed": weights.seed, "sizes": asdict(sizes_of(weights.size))}


def planned(folder: Path, name: str, sizes: Sizes) -> RandomFile:
    """The file of a registry's name, nothing of it written."""
    path, prefix = folder / NAMES[name], ""
    if name == "gemma":
        path, prefix = path / "model.safetensors", GEMMA_PREFIX
    metadata = {
        "dev": {"config": json.dumps(config.unified(sizes))},
        "distilled": {"config": json.dumps(config.unified(sizes))},
        "upscaler": {"config": json.dumps(config.upscaler(sizes))},
        "gemma": {"format": "mlx"},
    }
    tensors = {prefix + key: tensor for key, tensor in FILES[name](sizes).items()}
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    layout = ((key, tensor.dtype, tensor.shape, tensor.itemsize) for key, tensor in ordered.items())
    return RandomFile(path, ordered, header(layout, metadata.get(name, {})))


def _complete(marker: Path, generator: dict[str, Any]) -> dict[str, int]:
    try:
        stored = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    if (
        not isinstance(stored, dict)
        or stored.get("generator") != generator
        or not isinstance(stored.get("files"), dict)
    ):
        return {}
    return dict(stored["files"])


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _check_disk(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes and needed_bytes + SPARE_BYTES > free_bytes:
        raise ResourceError(
            f"{folder}: the random weights need {needed_bytes:,} bytes ({needed_bytes / 1e9:.1f} GB) and 1 GB to "
            f"spare, {free_bytes:,} bytes ({free_bytes / 1e9:.1f} GB) are free",
            hint="Free some space, set LTXBENCH_CACHE to a folder on a larger disk, choose fewer cases with --case, or "
            "leave --from-disk out.",
        )


def write_file(file: RandomFile, seed: int) -> None:
    """Raises OSError; a file that is there is complete."""
    file.path.parent.mkdir(exist_ok=True)
    partial = file.path.with_name(file.path.name + PARTIAL)
    with partial.open("wb") as stream:
        stream.write(file.head)
        for bits in _bits(file, seed):
            stream.write(bits.data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file.path)


def _bits(file: RandomFile, seed: int) -> Iterator[npt.NDArray[Any]]:
    for tensor in file.tensors.values():
        array = draw(tensor, seed)
        # NumPy has no bfloat16.
        yield np.array(array.view(mx.uint16) if array.dtype == mx.bfloat16 else array)
        del array
        mx.clear_cache()


def _write_gemma_settings(folder: Path, sizes: Sizes) -> None:
    for name, content in (
        ("config.json", gemma_fields(sizes)),
        ("generation_config.json", gemma.generation_config()),
        ("tokenizer.json", tokenizer.tokenizer_json()),
        ("tokenizer_config.json", tokenizer.tokenizer_config()),
    ):
        _replace(folder / name, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
