"""LoRA fusion against ltx_core's: the same pairs find the same weights, and ours are nearer the exact sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.loader.fuse_loras import apply_loras
from ltx_core.loader.primitives import LoraStateDictWithStrength, StateDict
from ltx_core.loader.sd_ops import LTXV_LORA_COMFY_RENAMING_MAP
from safetensors.torch import load_file, save_file

from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.lora import fuse_all
from ltxbench.model.transformer import PREFIX, VideoTransformer
from ltxbench.weights.files import WeightFiles
from tests.parity.conftest import Check, relative_error

pytestmark = pytest.mark.parity

BF16_ROUNDING = 2**-8
"""Relative error of one rounding, at most; the official code rounds the product, ours the sum alone."""


def _state(tensors: dict[str, torch.Tensor]) -> StateDict:
    return StateDict(tensors, torch.device("cpu"), 0, {torch.bfloat16})


def _official(weights: dict[str, torch.Tensor], loras: list[tuple[Path, float]]) -> dict[str, torch.Tensor]:
    states = [
        LoraStateDictWithStrength(
            _state({LTXV_LORA_COMFY_RENAMING_MAP.apply_to_key(key): value for key, value in load_file(path).items()}),
            strength,
        )
        for path, strength in loras
    ]
    return dict(apply_loras(_state(weights), states, dtype=torch.bfloat16).sd)


def _exact(weights: dict[str, torch.Tensor], loras: list[tuple[Path, float]]) -> dict[str, np.ndarray]:
    result = {key: value.double().numpy() for key, value in weights.items()}
    for path, strength in loras:
        pairs = load_file(path)
        for key in result:
            name = f"diffusion_model.{key.removesuffix('.weight')}"
            if f"{name}.lora_A.weight" in pairs:
                product = pairs[f"{name}.lora_B.weight"].double() @ pairs[f"{name}.lora_A.weight"].double()
                result[key] = result[key] + strength * product.numpy()
    return result


def _random_lora(path: Path, shapes: dict[str, tuple[int, ...]], rank: int, seed: int) -> Path:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, shape in shapes.items():
        if len(shape) != 2 or not key.endswith(".weight"):
            continue
        own, name = min(rank, *shape), f"diffusion_model.{key.removesuffix('.weight')}"
        tensors[f"{name}.lora_A.weight"] = torch.randn(own, shape[1], generator=generator).bfloat16() / 8
        tensors[f"{name}.lora_B.weight"] = torch.randn(shape[0], own, generator=generator).bfloat16() / 8
    save_file(tensors, path)
    return path


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "the distilled LoRA of tiny": {"published": 1.0},
    "the distilled LoRA, strength 0.6": {"published": 0.6},
    "rank 5": {"random": [(5, 1.0)]},
    "rank 200, cut to each layer's own, strength -1.3": {"random": [(200, -1.3)]},
    "two files": {"published": 1.0, "random": [(7, 0.5)]},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_fused_weights_equal_the_official_ones_to_bfloat16_rounding(
    check: Check, tiny: WeightFiles, tmp_path: Path, name: str
) -> None:
    assert tiny.dev is not None
    assert tiny.distilled_lora is not None
    configuration = CONFIGURATIONS[name]
    model = VideoTransformer.from_checkpoint(Checkpoint(tiny.dev), mx.bfloat16)
    shapes = {key: tuple(array.shape) for key, array in named_parameters(model).items()}
    loras: list[tuple[Path, float]] = []
    if "published" in configuration:
        loras.append((tiny.distilled_lora, configuration["published"]))
    for seed, (rank, strength) in enumerate(configuration.get("random", [])):
        loras.append((_random_lora(tmp_path / f"{seed}.safetensors", shapes, rank, seed), strength))
    stored = {key.removeprefix(PREFIX): value for key, value in load_file(tiny.dev).items()}
    weights = {key: stored[key].bfloat16() for key in shapes}

    official, exact = _official(weights, loras), _exact(weights, loras)
    reports = fuse_all(model, [(Checkpoint(path), strength) for path, strength in loras])
    fused = named_parameters(model)

    changed = [key for key in shapes if not torch.equal(official[key], weights[key])]
    assert {report.matched for report in reports} == {len(changed)}
    for key in shapes:
        ours = np.array(fused[key].astype(mx.float32))
        if key not in changed:
            assert np.array_equal(ours, weights[key].float().numpy()), key
            continue
        assert relative_error(ours, exact[key]) <= BF16_ROUNDING / 2, key
        assert relative_error(ours, exact[key]) <= relative_error(official[key].float().numpy(), exact[key]), key
    joined = np.concatenate([np.array(fused[key].astype(mx.float32)).ravel() for key in changed])
    reference = np.concatenate([official[key].float().numpy().ravel() for key in changed])
    check("LoRA fusion (bfloat16)", name, joined, reference, 2 * BF16_ROUNDING)
