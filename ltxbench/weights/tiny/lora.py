"""The distilled LoRA: every linear of the transformer, audio too, and the text projection's."""

from __future__ import annotations

import math

from ltxbench.weights.tiny.layers import Tensors
from ltxbench.weights.tiny.numbers import as_bfloat16, normal, outer_sum

STRENGTH = 0.5
"""Size of the update against the weight it is added to."""


def lora(label: str, linears: Tensors, rank: int) -> Tensors:
    """Pairs for every [out,in] in `linears`, keyed by their weight's key; rank = min(rank, in, out)."""
    pairs: Tensors = {}
    for key, weight in linears.items():
        outputs, inputs = weight.shape
        own = min(rank, inputs, outputs)
        path = key.removesuffix(".weight")
        pairs[f"{path}.lora_A.weight"] = normal(f"{label}/{path}.lora_A", (own, inputs), 1 / math.sqrt(inputs))
        pairs[f"{path}.lora_B.weight"] = normal(f"{label}/{path}.lora_B", (outputs, own), STRENGTH / math.sqrt(own))
    return pairs


def linears(tensors: Tensors) -> Tensors:
    """The weights of linear layers: two-dimensional, and no modulation table."""
    return {key: values for key, values in tensors.items() if key.endswith(".weight") and values.ndim == 2}


def fused(tensors: Tensors, pairs: Tensors) -> Tensors:
    """`tensors` with every pair added, computed on the values that bfloat16 files hold."""
    result = dict(tensors)
    for key in linears(tensors):
        path = key.removesuffix(".weight")
        b, a = as_bfloat16(pairs[f"{path}.lora_B.weight"]), as_bfloat16(pairs[f"{path}.lora_A.weight"])
        result[key] = as_bfloat16(tensors[key]) + outer_sum(b, a)
    return result
