"""LoRA: low-rank updates W + strength * B @ A, added to the weights before the first step.

Official: ltx_core.loader.fuse_loras. There the product and the sum are formed in bfloat16; here both are formed in
float32 and rounded to the weight's type once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.layout import PROJECTION, VIDEO_CONNECTOR, is_audio

PREFIX = "diffusion_model."
A, B = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class LoraReport:
    """Pairs of one file. The rank is each pair's own, taken from its tensors."""

    matched: int
    skipped_audio: int
    skipped_other: int
    """For the text projection or the connector: the official pipelines give a LoRA to the transformer alone."""
    rank_min: int
    rank_max: int

    @property
    def skipped(self) -> int:
        return self.skipped_audio + self.skipped_other


class _Pair(NamedTuple):
    a: mx.array
    """[rank, in]"""
    b: mx.array
    """[out, rank]"""

    @property
    def rank(self) -> int:
        return self.a.shape[0]


class Fusion:
    """LoRAs about to be added to the linear layers of a model, whose names are the official ones.

    The updates of all files for one layer are summed in float32 before the weight is rounded. A quantized layer is
    dequantized, updated and quantized again with its own bits and groups.
    """

    def __init__(self, model: nn.Module, loras: Sequence[tuple[Checkpoint, float]]) -> None:
        """Checks every (file, strength) against the model, and reads no values.

        Raises WeightsError that names the keys when a file has a key that belongs to no layer, half a pair, a pair of
        the wrong shape, or no pair for this model.
        """
        layers = {
            path: module for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.QuantizedLinear)
        }
        self.reports: list[LoraReport] = []
        """One a file."""
        self._updates: dict[str, list[tuple[_Pair, float]]] = {}
        for lora, strength in loras:
            pairs, report = _read(lora, layers)
            self.reports.append(report)
            for path, pair in pairs.items():
                self._updates.setdefault(path, []).append((pair, strength))
        # No other layer is held: one that is replaced by a quantized one must be free to go.
        self._layers = {path: layers[path] for path in self._updates}

    def apply(self, paths: Collection[str] | None = None) -> None:
        """Updates those of `paths` that have pairs, all when None, and evaluates them. A used pair is let go at once.

        Layers are to be updated before they are replaced by quantized ones, or else by a Fusion made after that.
        """
        for path in [path for path in self._updates if paths is None or path in paths]:
            _add(self._layers.pop(path), self._updates.pop(path))


def fuse(model: nn.Module, lora: Checkpoint, strength: float = 1.0) -> LoraReport:
    """Adds one LoRA to `model`, as `fuse_all` does."""
    return fuse_all(model, [(lora, strength)])[0]


def fuse_all(model: nn.Module, loras: Sequence[tuple[Checkpoint, float]]) -> list[LoraReport]:
    """Adds every (file, strength) to `model`; the model is unchanged when one of them does not fit it."""
    fusion = Fusion(model, loras)
    fusion.apply()
    return fusion.reports


def _read(lora: Checkpoint, layers: Mapping[str, nn.Module]) -> tuple[dict[str, _Pair], LoraReport]:
    """The pairs for `layers`, lazy, and the account of all."""
    unknown = sorted(key for key in lora.shapes if not key.endswith((A, B)))
    _refuse(lora, unknown, "neither lora_A nor lora_B")
    paths = {key.removesuffix(A).removesuffix(B) for key in lora.shapes}
    halves = sorted(path for path in paths if not {path + A, path + B} <= lora.shapes.keys())
    _refuse(lora, halves, "half a pair")

    audio = {path for path in paths if is_audio(path)}
    other = {path for path in paths - audio if path.removeprefix(PREFIX).startswith((PROJECTION, VIDEO_CONNECTOR))}
    video = sorted(paths - audio - other)
    names = {path: path.removeprefix(PREFIX) for path in video if path.startswith(PREFIX)}
    _refuse(lora, [path for path in video if names.get(path) not in layers], "no linear layer of this model")
    if not video:
        raise WeightsError(f"{lora.path}: no LoRA pair for the video transformer")

    tensors = lora.tensors("", skip=lambda key: key.removesuffix(A).removesuffix(B) not in names)
    pairs = {name: _Pair(tensors[path + A], tensors[path + B]) for path, name in names.items()}
    for name, pair in pairs.items():
        outputs, inputs = _shape(layers[name])
        rank = lora.shapes[PREFIX + name + A][0] if pair.a.ndim == 2 else 0
        if pair.a.shape != (rank, inputs) or pair.b.shape != (outputs, rank):
            raise WeightsError(
                f"{lora.path}: the pair for {name} has shapes {pair.a.shape} and {pair.b.shape}, "
                f"expected (rank, {inputs}) and ({outputs}, rank)"
            )
    ranks = [pair.rank for pair in pairs.values()]
    return pairs, LoraReport(len(pairs), len(audio), len(other), min(ranks), max(ranks))


def _refuse(lora: Checkpoint, names: Sequence[str], why: str) -> None:
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise WeightsError(
            f"{lora.path}: {why}: {shown}",
            hint="Expected `diffusion_model.<layer>.lora_A.weight` and `.lora_B.weight` for layers of LTX-2 19B.",
        )


def _shape(layer: nn.Module) -> tuple[int, int]:
    """(outputs, inputs), which the packed weight of a quantized layer does not show."""
    outputs, inputs = layer.weight.shape
    if isinstance(layer, nn.QuantizedLinear):
        inputs = layer.scales.shape[1] * layer.group_size
    return outputs, inputs


def _add(layer: nn.Module, parts: Sequence[tuple[_Pair, float]]) -> None:
    delta = sum((strength * pair.b.astype(mx.float32)) @ pair.a.astype(mx.float32) for pair, strength in parts)
    if isinstance(layer, nn.QuantizedLinear):
        scheme = {"group_size": layer.group_size, "bits": layer.bits, "mode": layer.mode}
        weight = mx.dequantize(layer.weight, layer.scales, layer.biases, **scheme, dtype=mx.float32)
        layer.weight, layer.scales, layer.biases = mx.quantize((weight + delta).astype(layer.scales.dtype), **scheme)
    else:
        layer.weight = (layer.weight.astype(mx.float32) + delta).astype(layer.weight.dtype)
    mx.eval(layer.parameters())
