"""The tensors given to one component, checked against what `component_tensors` documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import mlx.core as mx
import numpy as np

from ltxbench.errors import UsageError
from ltxbench.model.component_tensors import Component, Tensor


class Inputs:
    """The given tensors of one component. Raises UsageError that names the one which does not fit.

    Names and numbers of dimensions must be the documented ones, and a size that several tensors share (B samples, N
    tokens, ...) the same in all of them. Only a list of blocks may be empty.
    """

    def __init__(self, component: Component, tensors: Mapping[str, mx.array]) -> None:
        known = {tensor.name: tensor for tensor in component.inputs}
        takes = ", ".join(known)
        if unknown := sorted(tensors.keys() - known.keys()):
            raise UsageError(f"{component.name} takes no tensor {unknown[0]}", hint=f"It takes {takes}.")
        for name, tensor in known.items():
            if name not in tensors and not tensor.optional:
                raise UsageError(f"{component.name} needs a tensor {name} {tensor.shape}", hint=f"It takes {takes}.")
        self._tensors = dict(tensors)
        self._known = known
        self._sizes: dict[str, tuple[int, str]] = {}
        for name, tensor in known.items():
            if name in tensors:
                self._bind(tensor, tensors[name].shape)

    def expect(self, **sizes: int) -> None:
        """Raises UsageError unless the sizes of these names are those of the model."""
        for name, size in sizes.items():
            found, where = self._sizes.get(name, (size, ""))
            if found != size:
                shape, documented = self._tensors[where].shape, self._known[where].shape
                raise UsageError(
                    f"tensor {where} has shape {shape}, expected {documented} with {name} = {size}, the model's"
                )

    def _bind(self, tensor: Tensor, shape: tuple[int, ...]) -> None:
        """Gives the names in the tensor's documented shape their sizes, or compares them with those they have."""
        wrong = f"tensor {tensor.name} has shape {shape}, expected {tensor.shape}"
        documented = {text.count(",") + 1 if text != "[]" else 0: text for text in tensor.shape.split(" or ")}
        if set(documented) == {0} and math.prod(shape) == 1:
            return
        if len(shape) not in documented:
            raise UsageError(wrong)
        names = documented[len(shape)].strip("[]").split(",") if shape else []
        if 0 in shape and names != ["K"]:
            raise UsageError(f"tensor {tensor.name} has shape {shape}: it is empty")
        sizes = dict(zip(names, shape, strict=True))
        for name, size in sizes.items():
            if name.isdecimal():
                known, source = int(name), None
            elif name.isalpha():
                known, source = self._sizes.setdefault(name, (size, tensor.name))
            else:  # a formula, which the model checks
                continue
            if size != known and not (tensor.repeats and size == 1 and source):
                raise UsageError(wrong + (f" with {name} = {known}, as in {source}" if source else ""))
        if {"F", "H", "W"} <= sizes.keys():
            self._sizes.setdefault("N", (sizes["F"] * sizes["H"] * sizes["W"], tensor.name))

    def __getitem__(self, name: str) -> mx.array:
        return self._tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def number(self, name: str, default: float) -> float:
        if name not in self._tensors:
            return float(default)
        value = float(np.array(self._tensors[name].astype(mx.float32)).item())
        if not math.isfinite(value):
            raise UsageError(f"tensor {name} is {value}, expected a number")
        return value

    def whole(self, name: str, default: int) -> int:
        value = self.number(name, default)
        if not value.is_integer():
            raise UsageError(f"tensor {name} is {value:g}, expected a whole number")
        return int(value)

    def indices(self, name: str) -> tuple[int, ...]:
        values = cast("list[float]", self._tensors[name].tolist()) if name in self._tensors else []
        if not all(float(value).is_integer() for value in values):
            raise UsageError(f"tensor {name} is {values}, expected whole numbers")
        return tuple(int(value) for value in values)
