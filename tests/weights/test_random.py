"""Weights without a file: what they hold, and that it is the same wherever it is drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import UsageError, WeightsError
from ltxbench.matrix.case import Case, LoraUse, Model
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.transformer import PREFIX, VideoTransformer
from ltxbench.weights.files import RandomWeights, WeightFiles
from ltxbench.weights.random.draw import Tensor, draw
from ltxbench.weights.random.initial import Special, Uniform
from ltxbench.weights.random.parts import FILES, gemma, unified
from ltxbench.weights.random.sizes import SMALL, Sizes
from ltxbench.weights.resolve import digest, resolve
from ltxbench.weights.source import RandomSource, open_source

LAYOUT = json.loads((Path(__file__).parents[1] / "fixtures" / "layout_19b.json").read_text())
CASE = Case(name="a", title="A")


@pytest.fixture
def source() -> RandomSource:
    return RandomSource(RandomWeights(seed=1, size="small"))


def elements(tensors, prefix: str = "") -> int:
    return sum(math.prod(tensor.shape) for key, tensor in tensors.items() if key.startswith(prefix))


def official_shapes() -> dict[str, tuple[int, ...]]:
    blocks = {
        f"{PREFIX}transformer_blocks.{index}.{name}": shape
        for index in range(LAYOUT["blocks"])
        for name, shape in LAYOUT["block"].items()
    }
    return {key: tuple(shape) for key, shape in (blocks | LAYOUT["rest"]).items()}


def test_at_full_size_every_tensor_is_one_of_the_official_file_in_its_shape():
    official = official_shapes()
    drawn = unified(Sizes(), "dev")
    assert {key: official.get(key) for key in drawn} == {key: tensor.shape for key, tensor in drawn.items()}


def test_at_full_size_the_parts_have_the_parameters_of_the_official_classes():
    drawn = unified(Sizes(), "distilled")
    connector = elements(drawn, f"{PREFIX}video_embeddings_connector.")
    assert connector == 354_470_400
    assert elements(drawn, PREFIX) - connector == 13_041_520_768
    assert elements(drawn, "text_embedding_projection.") == 722_534_400
    assert elements(drawn, "vae.decoder.") == 528_380_720
    upscaler = {key: tensor.shape for key, tensor in FILES["upscaler"](Sizes()).items()}
    assert upscaler == {key: tuple(shape) for key, shape in LAYOUT["upscaler"].items()}


def test_gemma_takes_four_and_a_half_bits_a_weight():
    tensors = gemma(Sizes())
    weights = 8 * sum(math.prod(tensor.shape) for tensor in tensors.values() if tensor.dtype == "U32")
    assert 11.7e9 < weights < 11.8e9
    assert sum(tensor.size_bytes for tensor in tensors.values()) == pytest.approx(weights * 4.5 / 8, rel=1e-3)


def test_the_lora_has_a_pair_for_every_linear_layer_with_the_published_rank_or_the_layer_s_own():
    tensors = FILES["distilled-lora"](Sizes())
    assert len(tensors) == 2 * (7 + 48 * 10)
    assert tensors["diffusion_model.transformer_blocks.0.ff.net.2.lora_A.weight"].shape == (384, 16384)
    assert tensors["diffusion_model.proj_out.lora_B.weight"].shape == (128, 128)


def test_a_tensor_is_the_same_alone_and_among_others_and_differs_from_all_others(source):
    checkpoint = source.unified(Model.DEV)
    whole = checkpoint.tensors(PREFIX)
    name = "transformer_blocks.1.attn1.to_q.weight"
    alone = source.unified(Model.DEV).tensors(f"{PREFIX}transformer_blocks.1.")[name.split(".", 2)[2]]
    assert mx.array_equal(whole[name], alone)
    for other in ("transformer_blocks.0.attn1.to_q.weight", "transformer_blocks.1.attn1.to_k.weight"):
        assert not mx.array_equal(whole[other], alone)


def test_dev_and_distilled_differ_and_share_the_decoder(source):
    dev, distilled = (source.unified(model).tensors("") for model in Model)
    assert not mx.array_equal(dev[f"{PREFIX}proj_out.weight"], distilled[f"{PREFIX}proj_out.weight"])
    key = "vae.decoder.conv_in.conv.weight"
    assert mx.array_equal(dev[key], distilled[key])


def test_another_seed_gives_other_values():
    tensor = Tensor((64, 64), "BF16", Uniform(1.0), "a")
    assert not mx.array_equal(draw(tensor, 1), draw(tensor, 2))


def test_the_values_never_change_for_a_seed_and_a_label():
    values = draw(Tensor((3, 3), "BF16", Uniform(2.0, 1.0), "a"), 7).astype(mx.float32)
    assert values.tolist() == [
        [-1.84375, -1.65625, -0.2265625],
        [-1.90625, -1.9375, 1.3828125],
        [-0.046875, 4.03125, 4.09375],
    ]
    bits = draw(Tensor((4,), "U32", Special.BITS, "a"), 7)
    assert bits.tolist() == [4050448146, 2370259621, 1315481895, 2807628703]


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
def test_values_have_the_mean_and_the_deviation_asked_for(dtype):
    values = draw(Tensor((501, 201), dtype, Uniform(0.3, 2.0), "a"), 1)
    assert str(values.dtype).endswith({"BF16": "bfloat16", "F32": "float32"}[dtype])
    wide = values.astype(mx.float32)
    assert wide.mean().item() == pytest.approx(2.0, abs=0.01)
    assert mx.std(wide).item() == pytest.approx(0.3, rel=0.02)


def test_rows_have_means_of_their_own():
    values = draw(Tensor((3, 5000), "F32", Uniform(0.1, row_means=(0.0, 1.0, -2.0)), "a"), 1)
    assert np.array(values.mean(axis=1)) == pytest.approx([0, 1, -2], abs=0.01)


def test_quantized_matrices_keep_the_size_of_what_goes_through(source):
    tensors = gemma(SMALL)
    path = "layers.0.mlp.down_proj"
    packed, scales, biases = (draw(tensors[f"{path}.{kind}"], 1) for kind in ("weight", "scales", "biases"))
    matrix = mx.dequantize(packed, scales, biases, SMALL.gemma_group, SMALL.gemma_bits).astype(mx.float32)
    assert tensors[f"{path}.weight"].initial is Special.BITS
    assert mx.std(matrix).item() * matrix.shape[1] ** 0.5 == pytest.approx(1, rel=0.05)
    assert abs(matrix.mean().item()) < 0.1 * mx.std(matrix).item()


def test_nothing_is_in_memory_before_it_is_evaluated(source):
    mx.synchronize()
    before = mx.get_active_memory()
    transformer = VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.float32)
    size_bytes = sum(array.nbytes for array in named_parameters(transformer).values())
    assert mx.get_active_memory() - before < 0.05 * size_bytes


def test_prompts_have_tokens_within_the_vocabulary_and_finite_states(source):
    tokens = source.tokenizer()("A beaver – ビーバー", 32)
    encoder = source.text_encoder(mx.float32)
    states = list(encoder.hidden_states(*tokens))
    assert int(tokens.ids.max().item()) < SMALL.gemma_vocabulary
    assert len(states) == SMALL.gemma_layers + 1
    assert all(mx.isfinite(state).all().item() for state in states)


def test_the_name_random_means_the_full_size_and_no_file():
    files = resolve("random", [CASE])
    assert files.kind == "random"
    assert files.synthetic
    assert files.random is not None
    assert files.random.size == "19b"
    assert files.distilled is None
    assert WeightFiles.model_validate_json(files.model_dump_json()) == files
    assert isinstance(open_source(files), RandomSource)


def test_a_size_that_there_is_not_is_told():
    with pytest.raises(WeightsError, match="no size 'huge'") as caught:
        resolve("random:huge", [CASE])
    assert "19b, small" in str(caught.value.hint)


def test_files_already_there_are_not_written_again_from_random_numbers():
    with pytest.raises(UsageError, match="--from-disk is for random weights"):
        resolve("tiny", [CASE], from_disk=True)


def test_the_digest_tells_seed_and_sizes_apart():
    def of(seed: int, size: str) -> str:
        files = resolve("random", [CASE]).model_copy(update={"random": RandomWeights(seed=seed, size=size)})
        return digest(files, [CASE])

    assert of(1, "small") == of(1, "small")
    assert len({of(1, "small"), of(2, "small"), of(1, "19b")}) == 3


def test_a_case_says_which_models_it_needs_and_only_those_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path))
    files = resolve("random:small", [CASE.model_copy(update={"distilled_lora": LoraUse.NONE})], from_disk=True)
    assert files.distilled is not None
    assert files.distilled.is_file()
    assert files.dev is None
    assert files.distilled_lora is None
