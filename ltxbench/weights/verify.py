"""Looks at a file or a Gemma folder as the loader would, then reads all of it: its sum, and NaN in its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import WeightsError
from ltxbench.model import layout
from ltxbench.model.checkpoint import FLOATS, Checkpoint
from ltxbench.model.connector import Connector
from ltxbench.model.features import FeatureExtractor
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.tokenizer import PromptTokenizer
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.encoder import VideoEncoder
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.gemma_folder import check_gemma
from ltxbench.weights.header import read_header
from ltxbench.weights.integrity import reread
from ltxbench.weights.registry import registry
from ltxbench.weights.sha256 import Sha256Cache


@dataclass(frozen=True)
class Count:
    tensors: int = 0
    elements: int = 0

    def plus(self, shape: tuple[int, ...]) -> Count:
        return Count(self.tensors + 1, self.elements + math.prod(shape))


@dataclass(frozen=True)
class Verified:
    """What a file holds; that it could be made says that nothing is wrong with its structure."""

    path: Path
    kind: str
    version: str | None
    groups: dict[str, Count]
    dtypes: dict[str, Count]
    size_bytes: int
    sha256: dict[str, str]
    """By file name; empty where no sums were asked for."""
    expected_sha256: str | None
    """The registry's, None where it has none for this name."""


def verify(
    path: Path, *, checksum: bool = True, accept: bool = False, progress: Callable[[int], None] | None = None
) -> Verified:
    """Raises WeightsError for the first thing that is wrong: header, unknown, missing or misshapen tensors, NaN or
    infinity in one, or a sha256 that is not the published one, the hub's or the first one seen.

    The file is read whatever is remembered of it. `accept` takes its present sum for the first one.
    `progress` gets the number of bytes of every chunk that is read.
    """
    if path.is_dir():
        return _gemma(path, checksum, accept, progress)
    read_header(path)
    checkpoint = Checkpoint(path)
    kind = layout.kind_of(checkpoint.shapes)
    if kind is None:
        raise WeightsError(
            f"{path}: no file of LTX-2 ({len(checkpoint.shapes)} tensors, none with a known name)",
            hint=f"Known are {', '.join(layout.Kind)}, and a Gemma folder.",
        )
    _refuse_types(checkpoint)
    version = None
    if kind is layout.Kind.UNIFIED:
        version = layout.version_of(checkpoint.shapes, checkpoint.config, checkpoint.metadata)
        layout.check_unified(str(path), checkpoint.shapes, checkpoint.config, checkpoint.metadata)
        _build_unified(checkpoint)
        groups = _counted(checkpoint, lambda key: layout.group_of(key).value)
    elif kind is layout.Kind.LORA:
        _check_pairs(checkpoint)
        groups = _counted(checkpoint, _lora_group)
    else:
        LatentUpsampler.from_checkpoint(checkpoint, mx.bfloat16)
        groups = _counted(checkpoint, lambda _: "latent upscaler")
    expected = next((model.sha256 for model in registry().models.values() if model.file == path.name), None)
    sums = {path.name: _sum(path, accept, progress, expected)} if checksum else {}
    return Verified(
        path=path,
        kind=kind.value,
        version=version.value if version else None,
        groups=groups,
        dtypes=_counted(checkpoint, lambda key: checkpoint.dtypes[key]),
        size_bytes=path.stat().st_size,
        sha256=sums,
        expected_sha256=expected,
    )


def _sum(path: Path, accept: bool, progress: Callable[[int], None] | None, published: str | None = None) -> str:
    tensors = path.suffix != ".json"
    return reread(
        path, Sha256Cache(cache_folder()), published=published, tensors=tensors, accepted=accept, progress=progress
    )


def _build_unified(checkpoint: Checkpoint) -> None:
    """Every part that is used is built from the file; MLX reads no tensor until it is evaluated, and none is."""
    dtype = mx.bfloat16
    VideoTransformer.from_checkpoint(checkpoint, dtype)
    FeatureExtractor.from_checkpoint(checkpoint, dtype)
    Connector.from_checkpoint(checkpoint, dtype)
    VideoDecoder.from_checkpoint(checkpoint, dtype)
    if any(key.startswith("vae.encoder.") for key in checkpoint.shapes):
        VideoEncoder.from_checkpoint(checkpoint, dtype)


def _check_pairs(checkpoint: Checkpoint) -> None:
    """Both halves of every pair, and of one rank; whether they fit a model shows when they are fused."""
    for key, shape in sorted(checkpoint.shapes.items()):
        path, half = key.rsplit(".lora_", 1) if ".lora_" in key else (key, "")
        other = checkpoint.shapes.get(f"{path}.lora_{'B' if half == 'A.weight' else 'A'}.weight")
        if half not in ("A.weight", "B.weight") or other is None:
            raise WeightsError(f"{checkpoint.path}: tensor {key} is no half of a LoRA pair")
        if len(shape) != 2 or len(other) != 2 or (half == "A.weight" and shape[0] != other[1]):
            raise WeightsError(f"{checkpoint.path}: the LoRA pair {path} has shapes {shape} and {other}")


def _lora_group(key: str) -> str:
    if layout.is_audio(key):
        return "pairs, audio"
    return "pairs, text projection" if layout.PROJECTION in key else "pairs, video"


def _refuse_types(checkpoint: Checkpoint) -> None:
    strange = sorted(key for key, dtype in checkpoint.dtypes.items() if dtype not in FLOATS)
    if strange:
        raise WeightsError(
            f"{checkpoint.path}: {strange[0]} is {checkpoint.dtypes[strange[0]]}, expected {' or '.join(FLOATS)}",
            hint="Quantized files (fp8, nvfp4) are not read; quantize on load with `quantization:` in the matrix.",
        )


def _counted(checkpoint: Checkpoint, group: Callable[[str], str]) -> dict[str, Count]:
    counts: dict[str, Count] = {}
    for key, shape in checkpoint.shapes.items():
        name = group(key)
        counts[name] = counts.get(name, Count()).plus(shape)
    return counts


def _gemma(folder: Path, checksum: bool, accept: bool, progress: Callable[[int], None] | None) -> Verified:
    check_gemma(folder)
    PromptTokenizer.load(folder)
    encoder = TextEncoder.load(folder, mx.bfloat16)
    shards = sorted(folder.glob("*.safetensors"))
    parts = [*shards, *sorted(folder.glob("*.json"))]
    groups: dict[str, Count] = {}
    dtypes: dict[str, Count] = {}
    for shard in shards:
        checkpoint = Checkpoint(shard)
        for key, shape in checkpoint.shapes.items():
            group = "text model" if "language_model" in key or key.startswith("model.layers") else "other"
            groups[group] = groups.get(group, Count()).plus(shape)
            dtype = checkpoint.dtypes[key]
            dtypes[dtype] = dtypes.get(dtype, Count()).plus(shape)
    quantized = any(isinstance(module, nn.QuantizedLinear) for _, module in encoder.model.named_modules())
    return Verified(
        path=folder,
        kind="Gemma 3, quantized" if quantized else "Gemma 3",
        version=None,
        groups=groups,
        dtypes=dtypes,
        size_bytes=sum(shard.stat().st_size for shard in shards),
        sha256={part.name: _sum(part, accept, progress) for part in parts} if checksum else {},
        expected_sha256=None,
    )
