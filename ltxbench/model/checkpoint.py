"""A safetensors file in the official layout: opened strictly, read lazily.

The header is read by the safetensors package, which refuses overlaps, gaps, trailing bytes and duplicate keys;
MLX's own reader, which does not, only sees files that passed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from safetensors import SafetensorError, safe_open

from ltxbench.errors import WeightsError
from ltxbench.model.layout import check_unified

FLOATS = ("F32", "F16", "BF16")
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of PyTorch's zip archives and of bare pickles."""


class Checkpoint:
    """One opened file. `config` is the JSON object stored under the metadata key "config"."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise WeightsError(f"{path}: no such weights file", hint="`ltxbench models list` says what is needed.")
        _refuse_pickle(path)
        try:
            with safe_open(path, framework="numpy") as file:
                self.metadata: dict[str, str] = file.metadata() or {}
                slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 - no mapping
                self.shapes = {key: tuple(part.get_shape()) for key, part in slices.items()}
                self.dtypes = {key: part.get_dtype() for key, part in slices.items()}
        except SafetensorError as error:
            raise WeightsError(
                f"{path}: not a valid safetensors file ({error})",
                hint="Download it again, or verify its sha256.",
            ) from None
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from None
        _refuse_duplicates(path)
        self.path = path
        self.config = self._config()

    def _config(self) -> dict[str, Any]:
        text = self.metadata.get("config")
        if text is None:
            return {}
        try:
            config = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise WeightsError(f"{self.path}: the configuration in the metadata is not JSON ({error})") from None
        if not isinstance(config, dict):
            raise WeightsError(f"{self.path}: the configuration in the metadata is not an object")
        return config

    def shapes_under(self, prefix: str) -> dict[str, tuple[int, ...]]:
        """Shapes of the tensors whose key starts with `prefix`, the prefix taken off."""
        return {key[len(prefix) :]: shape for key, shape in self.shapes.items() if key.startswith(prefix)}

    def tensors(
        self, prefix: str, skip: Callable[[str], bool] | None = None, dtypes: Sequence[str] = FLOATS
    ) -> dict[str, mx.array]:
        """Lazy arrays under `prefix`, the prefix taken off; nothing is read until they are evaluated."""
        chosen = {
            key: key[len(prefix) :]
            for key in self.shapes
            if key.startswith(prefix) and not (skip and skip(key[len(prefix) :]))
        }
        for key in chosen:
            if self.dtypes[key] not in dtypes:
                raise WeightsError(f"{self.path}: tensor {key} is {self.dtypes[key]}, expected {' or '.join(dtypes)}")
        arrays = self._lazy(chosen)
        return {short: arrays[key] for key, short in chosen.items()}

    def _lazy(self, keys: Iterable[str]) -> Mapping[str, mx.array]:  # noqa: ARG002 - a file's reader opens all at once
        """Arrays by key, at least those of `keys`; where they come from is all that differs between checkpoints."""
        on_cuda = mx.default_device().type == mx.DeviceType.gpu and mx.cuda.is_available()
        try:
            # MLX reads for a CUDA device in one thread, for the CPU in several: four times as fast, copy included.
            arrays = mx.load(str(self.path), format="safetensors", stream=mx.cpu if on_cuda else None)
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"{self.path}: MLX cannot read it ({error})") from None
        assert isinstance(arrays, dict)
        # The product is the copy to the device; what was read is freed once it is made.
        return {key: array * 1 for key, array in arrays.items()} if on_cuda else arrays


def open_unified(path: Path) -> Checkpoint:
    """Raises WeightsError unless the file is a whole unified checkpoint of version 2.0 whose keys are all known."""
    checkpoint = Checkpoint(path)
    check_unified(str(path), checkpoint.shapes, checkpoint.config, checkpoint.metadata)
    return checkpoint


def _refuse_pickle(path: Path) -> None:
    """A pickle runs whatever code it holds when it is read; it is recognised by its first bytes, not by its name."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if start.startswith(PICKLES) and start[8:] != b"{":  # eight bytes of length, then JSON: a safetensors header
        raise WeightsError(
            f"{path}: a PyTorch pickle, which can run code when it is opened",
            hint="Only safetensors files are read; convert it where you trust it.",
        )


def _refuse_duplicates(path: Path) -> None:
    """The package takes a key that is listed twice at one place; its header is read already, so it is valid JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            raise WeightsError(f"{path}: not a valid safetensors file ({twice!r} is listed twice)")
        return entries

    json.loads(text, object_pairs_hook=once)


def load_strict(module: nn.Module, tensors: Mapping[str, mx.array], dtype: mx.Dtype, *, source: str) -> None:
    """Gives `module` exactly the parameters it has, cast to `dtype`; the packed integers of quantized layers stay.

    Raises WeightsError that names the tensor when one is missing, unknown, or of the wrong shape or type.
    `source` is how messages call the origin: a path and a prefix.
    """
    expected = named_parameters(module)
    if missing := sorted(expected.keys() - tensors.keys()):
        raise WeightsError(f"{source}: {_named(missing)} missing")
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise WeightsError(f"{source}: {_named(unknown)} not part of the model")
    for name, parameter in expected.items():
        given = tensors[name]
        if given.shape != parameter.shape:
            raise WeightsError(f"{source}: tensor {name} has shape {given.shape}, expected {parameter.shape}")
        if _is_float(given) != _is_float(parameter):
            raise WeightsError(f"{source}: tensor {name} is {given.dtype}, which its layer cannot hold")
    module.load_weights([(n, array.astype(dtype) if _is_float(array) else array) for n, array in tensors.items()])


def _is_float(array: mx.array) -> bool:
    return mx.issubdtype(array.dtype, mx.floating)


def named_parameters(module: nn.Module) -> dict[str, mx.array]:
    """The module's parameters under their dotted names, which are the official ones."""
    return cast("dict[str, mx.array]", tree_flatten(module.parameters(), destination={}))


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    more = f" and {len(names) - 5} more are" if len(names) > 5 else (" is" if len(names) == 1 else " are")
    return f"tensor {shown}{more}"
