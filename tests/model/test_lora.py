"""Fusing LoRA files into the model."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ltxbench.errors import WeightsError
from ltxbench.matrix.case import Quantization
from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.lora import fuse, fuse_all
from ltxbench.model.quantize import quantize
from ltxbench.model.transformer import VideoTransformer
from ltxbench.weights.files import WeightFiles

INPUTS, OUTPUTS = 128, 64


class Small(nn.Module):
    def __init__(self, dtype: mx.Dtype = mx.float32) -> None:
        super().__init__()
        self.patchify_proj = nn.Linear(INPUTS, OUTPUTS)
        self.transformer_blocks = [{"attn1": {"to_q": nn.Linear(OUTPUTS, OUTPUTS)}}]
        rng = np.random.default_rng(7)
        for layer in (self.patchify_proj, self.transformer_blocks[0]["attn1"]["to_q"]):
            layer.weight = mx.array(rng.normal(size=layer.weight.shape), dtype)

    @property
    def to_q(self) -> nn.Module:
        return self.transformer_blocks[0]["attn1"]["to_q"]


def _pair(path: str, outputs: int, inputs: int, rank: int, seed: int = 0) -> dict[str, mx.array]:
    rng = np.random.default_rng(seed)
    return {
        f"{path}.lora_A.weight": mx.array(rng.normal(size=(rank, inputs)), mx.bfloat16),
        f"{path}.lora_B.weight": mx.array(rng.normal(size=(outputs, rank)) / 10, mx.bfloat16),
    }


def _file(folder: Path, tensors: dict[str, mx.array], name: str = "lora.safetensors") -> Checkpoint:
    mx.save_safetensors(str(folder / name), tensors)
    return Checkpoint(folder / name)


def _delta(tensors: dict[str, mx.array], path: str) -> np.ndarray:
    a, b = (np.array(tensors[f"{path}.lora_{half}.weight"].astype(mx.float32), np.float64) for half in "AB")
    return b @ a


PROJ, TO_Q = "diffusion_model.patchify_proj", "diffusion_model.transformer_blocks.0.attn1.to_q"


def test_the_product_is_added_at_the_given_strength_and_ranks_come_from_the_tensors(tmp_path: Path) -> None:
    tensors = _pair(PROJ, OUTPUTS, INPUTS, 8) | _pair(TO_Q, OUTPUTS, OUTPUTS, 3, seed=1)
    model, before = Small(), Small()
    report = fuse(model, _file(tmp_path, tensors), 0.7)
    assert (report.matched, report.skipped, report.rank_min, report.rank_max) == (2, 0, 3, 8)
    for layer, old, path in ((model.patchify_proj, before.patchify_proj, PROJ), (model.to_q, before.to_q, TO_Q)):
        expected = np.array(old.weight, np.float64) + 0.7 * _delta(tensors, path)
        np.testing.assert_allclose(np.array(layer.weight), expected, rtol=1e-5, atol=1e-5)


def test_the_sum_is_rounded_to_the_weights_type_once(tmp_path: Path) -> None:
    tensors = _pair(PROJ, OUTPUTS, INPUTS, 8)
    model = Small(mx.bfloat16)
    old = np.array(model.patchify_proj.weight.astype(mx.float32), np.float64)
    fuse(model, _file(tmp_path, tensors), 1.0)
    exact = mx.array((old + _delta(tensors, PROJ)).astype(np.float32))
    assert model.patchify_proj.weight.dtype == mx.bfloat16
    assert mx.mean(model.patchify_proj.weight == exact.astype(mx.bfloat16)).item() > 0.999


def test_several_files_add_up_before_the_rounding(tmp_path: Path) -> None:
    first, second = _pair(PROJ, OUTPUTS, INPUTS, 8), _pair(PROJ, OUTPUTS, INPUTS, 16, seed=2)
    files = [(_file(tmp_path, first, "1.safetensors"), 1.0), (_file(tmp_path, second, "2.safetensors"), -0.5)]
    together = Small(mx.bfloat16)
    old = np.array(together.patchify_proj.weight.astype(mx.float32), np.float64)
    reports = fuse_all(together, files)
    assert [report.rank_max for report in reports] == [8, 16]
    exact = mx.array((old + _delta(first, PROJ) - 0.5 * _delta(second, PROJ)).astype(np.float32)).astype(mx.bfloat16)
    assert mx.mean(together.patchify_proj.weight == exact).item() > 0.999


def test_audio_and_projection_pairs_are_skipped_and_counted(tmp_path: Path) -> None:
    tensors = _pair(PROJ, OUTPUTS, INPUTS, 8)
    tensors |= _pair("diffusion_model.transformer_blocks.0.audio_attn1.to_q", 32, 32, 8)
    tensors |= _pair("diffusion_model.av_ca_a2v_gate_adaln_single.linear", 32, 32, 8)
    tensors |= _pair("text_embedding_projection.aggregate_embed", 32, 64, 8)
    report = fuse(Small(), _file(tmp_path, tensors), 1.0)
    assert (report.matched, report.skipped_audio, report.skipped_other, report.skipped) == (1, 2, 1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"diffusion_model.ghost.lora_A.weight": (4, 8), "diffusion_model.ghost.lora_B.weight": (8, 4)}, "ghost"),
        ({"patchify_proj.lora_A.weight": (4, 128), "patchify_proj.lora_B.weight": (64, 4)}, "no linear layer"),
        ({f"{TO_Q}.lora_A.weight": (4, 64)}, "half a pair"),
        ({f"{TO_Q}.alpha": (1,)}, "alpha"),
        ({f"{TO_Q}.lora_A.weight": (4, 65), f"{TO_Q}.lora_B.weight": (64, 4)}, r"shapes \(4, 65\)"),
        ({f"{TO_Q}.lora_A.weight": (4, 64), f"{TO_Q}.lora_B.weight": (64, 5)}, r"\(64, 5\)"),
        ({f"{TO_Q}.lora_A.weight": (4,), f"{TO_Q}.lora_B.weight": (64, 4)}, "shapes"),
    ],
)
def test_a_wrong_file_is_refused_and_leaves_the_model_alone(
    tmp_path: Path, change: dict[str, tuple[int, ...]], message: str
) -> None:
    tensors = _pair(PROJ, OUTPUTS, INPUTS, 8) | {key: mx.zeros(shape) for key, shape in change.items()}
    model = Small()
    with pytest.raises(WeightsError, match=message):
        fuse(model, _file(tmp_path, tensors), 1.0)
    assert mx.array_equal(model.patchify_proj.weight, Small().patchify_proj.weight).item()


def test_a_file_without_any_pair_for_the_video_is_refused(tmp_path: Path) -> None:
    tensors = _pair("diffusion_model.audio_proj_out", 32, 32, 8)
    with pytest.raises(WeightsError, match="no LoRA pair for the video"):
        fuse(Small(), _file(tmp_path, tensors), 1.0)


@pytest.mark.parametrize("quantization", [Quantization.QINT8, Quantization.INT4])
def test_fusing_into_a_quantized_layer_stays_within_the_quantizers_step(
    tmp_path: Path, quantization: Quantization
) -> None:
    lora = _file(tmp_path, _pair(PROJ, OUTPUTS, INPUTS, 8))
    before, after = Small(), Small()
    fuse(before, lora, 1.0)
    quantize(before, quantization)
    quantize(after, quantization)
    steps = mx.repeat(mx.abs(after.patchify_proj.scales), 64, axis=1)
    fuse(after, lora, 1.0)
    assert isinstance(after.patchify_proj, nn.QuantizedLinear)
    assert after.patchify_proj.bits == quantization.bits

    def restored(layer: nn.Module) -> mx.array:
        return mx.dequantize(layer.weight, layer.scales, layer.biases, layer.group_size, layer.bits)

    # Once more rounded than the other way: the first rounding's error, and a value on the edge of the second's.
    allowed = steps + mx.repeat(mx.abs(after.patchify_proj.scales), 64, axis=1)
    assert mx.all(mx.abs(restored(before.patchify_proj) - restored(after.patchify_proj)) <= 1.01 * allowed).item()


def test_dev_with_the_distilled_lora_has_the_distilled_transformer(tiny: WeightFiles) -> None:
    assert tiny.dev is not None
    assert tiny.distilled is not None
    assert tiny.distilled_lora is not None
    dev = VideoTransformer.from_checkpoint(Checkpoint(tiny.dev), mx.bfloat16)
    distilled = named_parameters(VideoTransformer.from_checkpoint(Checkpoint(tiny.distilled), mx.bfloat16))
    unlike = [name for name, array in named_parameters(dev).items() if not mx.array_equal(array, distilled[name])]
    report = fuse(dev, Checkpoint(tiny.distilled_lora), 1.0)
    assert report.matched == len(unlike)
    assert report.skipped_audio > 0
    assert report.skipped_other == 1
    for name, array in named_parameters(dev).items():
        # The order of summation differs, so a value on the edge may be rounded the other way.
        assert mx.mean(array == distilled[name]).item() > 0.99, name
