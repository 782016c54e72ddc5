from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ltxbench.errors import WeightsError
from ltxbench.model.gemma import TextEncoder, attention_masks
from ltxbench.model.gemma_files import GemmaConfig
from tests.model.seeded import Stored
from tests.model.text_inputs import error, gemma_config, gemma_shapes, gemma_weights, save_gemma, tokens

CONFIG = gemma_config()
PUBLISHED = {
    "model_type": "gemma3",
    "eos_token_id": [1, 106],
    "text_config": {
        "hidden_size": 3840,
        "intermediate_size": 15360,
        "model_type": "gemma3_text",
        "num_attention_heads": 16,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
}


def states(folder: Path, ids: np.ndarray, mask: np.ndarray, **more: Any) -> list[np.ndarray]:
    encoder = TextEncoder.load(folder, mx.float32)
    return [np.asarray(state) for state in encoder.hidden_states(mx.array(ids), mx.array(mask), **more)]


def test_the_stored_states_of_transformers_are_reproduced(tmp_path: Path) -> None:
    stored = Stored.read("gemma.safetensors")
    (length,), (valid,) = stored.inputs["length"], stored.inputs["valid"]
    folder = save_gemma(tmp_path, stored.config, gemma_weights(stored.shapes, stored.seed))
    found = states(folder, *tokens(length, [valid]))
    assert len(found) == len(stored.outputs) == stored.config["num_hidden_layers"] + 1
    for index, state in enumerate(found):
        assert error(state[:, -valid:], stored.outputs[f"state_{index}"]) < 1e-5


def test_padding_changes_nothing_and_stays_finite(tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG)
    ids, mask = tokens(20, [13])
    padded = states(folder, ids, mask)
    alone = states(folder, ids[:, 7:], mask[:, 7:], offset=7)
    for state, row in zip(padded, alone, strict=True):
        assert np.isfinite(state).all()
        assert error(state[:, 7:], row) < 1e-5
    other = np.where(mask > 0, ids, 9)
    assert all(error(a[:, 7:], b[:, 7:]) == 0 for a, b in zip(states(folder, other, mask), padded, strict=True))


def test_a_sliding_layer_sees_its_window_and_a_global_one_all() -> None:
    mask = mx.array([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    everything, window = (np.asarray(m) for m in attention_masks(mask, 2))
    assert everything[0, 0, 5].tolist() == [False, False, True, True, True, True]
    assert window[0, 0, 5].tolist() == [False, False, False, False, True, True]
    assert window[1, 0, 1].tolist() == [True, True, False, False, False, False]
    assert everything[0, 0, 1].tolist() == [False, True, False, False, False, False]


def test_without_padding_and_within_the_window_no_mask_is_made() -> None:
    assert attention_masks(mx.ones((1, 8), mx.int32), 8) == ("causal", "causal")
    everything, window = attention_masks(mx.ones((1, 9), mx.int32), 8)
    assert everything == "causal"
    assert isinstance(window, mx.array)


@pytest.mark.parametrize("prefix", ["model.", "language_model.model.", "model.language_model."])
def test_all_published_layouts_are_the_same_model(prefix: str, tmp_path: Path) -> None:
    ids, mask = tokens(9, [9])
    plain = states(save_gemma(tmp_path / "plain", CONFIG), ids, mask)[-1]
    nested = {"model_type": "gemma3", "text_config": {k: v for k, v in CONFIG.items() if k != "vocab_size"}}
    folder = save_gemma(tmp_path / "nested", CONFIG, prefix=prefix)
    (folder / "config.json").write_text(json.dumps(nested))
    extra = {
        "vision_tower.vision_model.x.weight": np.ones(3, np.float32),
        "multi_modal_projector.y": np.ones(3, np.float32),
        "lm_head.weight": np.ones((2, 2), np.float32),
    }
    save_file(extra, folder / "model-00002.safetensors")
    assert error(states(folder, ids, mask)[-1], plain) == 0


def test_shards_are_read_through_the_index(tmp_path: Path) -> None:
    ids, mask = tokens(9, [9])
    folder = save_gemma(tmp_path, CONFIG)
    whole = states(folder, ids, mask)[-1]
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, keys in parts.items():
        save_file({key: tensors[key] for key in keys}, folder / file)
    save_file({"junk": np.ones(1, np.float32)}, folder / "adapter.safetensors")
    index = {"weight_map": {key: file for file, keys in parts.items() for key in keys}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert error(states(folder, ids, mask)[-1], whole) == 0


@pytest.mark.parametrize("bits", [4, 8])
def test_a_checkpoint_quantized_by_mlx_is_read_as_stored(bits: int, tmp_path: Path) -> None:
    config = gemma_config(hidden_size=64, intermediate_size=128, head_dim=32, num_hidden_layers=2)
    made = gemma_weights(gemma_shapes(config), 0)
    packed: dict[str, np.ndarray] = {}
    rounded: dict[str, np.ndarray] = {}
    for name, array in made.items():
        packed[name] = rounded[name] = array
        if array.ndim == 2:
            path = name.removesuffix(".weight")
            parts = mx.quantize(mx.array(array), 64, bits)
            for part, value in zip(("weight", "scales", "biases"), parts, strict=True):
                packed[f"{path}.{part}"] = np.asarray(value)
            rounded[name] = np.asarray(mx.dequantize(*parts, 64, bits))
    ids, mask = tokens(9, [9])
    folder = save_gemma(tmp_path / "q", {**config, "quantization": {"group_size": 64, "bits": bits}}, packed)
    encoder = TextEncoder.load(folder, mx.float32)
    layer = encoder.model.layers[0].mlp.up_proj
    assert isinstance(layer, nn.QuantizedLinear)
    assert (layer.bits, layer.weight.dtype, layer.scales.dtype) == (bits, mx.uint32, mx.float32)
    expected = states(save_gemma(tmp_path / "r", config, rounded), ids, mask)[-1]
    assert error(list(encoder.hidden_states(mx.array(ids), mx.array(mask)))[-1], expected) < 1e-5
    assert encoder.next_logits(mx.array(ids), encoder.caches()).shape == (config["vocab_size"],)


def _edit(change: Callable[[dict[str, np.ndarray]], None]) -> dict[str, np.ndarray]:
    tensors = gemma_weights(gemma_shapes(CONFIG), 0)
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("layers.2.mlp.up_proj.weight"), r"layers\.2\.mlp\.up_proj\.weight is missing"),
        (lambda t: t.pop("embed_tokens.weight"), r"embed_tokens\.weight is missing"),
        (lambda t: t.update({"layers.1.extra": t["norm.weight"]}), r"layers\.1\.extra is not part of the model"),
        (lambda t: t.update({"norm.weight": np.ones(7, np.float32)}), r"norm\.weight has shape \(7,\), expected"),
        (lambda t: t.update({"layers.9.x": np.ones(7, np.float32)}), "has 4 layers, the weights have 5"),
        (lambda t: t.update({"norm.weight": np.ones(48, np.uint32)}), r"norm\.weight is .*uint32"),
        (lambda t: t.update({"norm.weight": np.ones(48, np.int64)}), r"norm\.weight is I64, expected F32 or"),
        (lambda t: t.update({"layers.0.mlp.up_proj.scales": np.ones((80, 5), np.float32)}), "no quantization of width"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(change: Any, message: str, tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG, _edit(change))
    with pytest.raises(WeightsError, match=message):
        TextEncoder.load(folder, mx.float32)


def test_a_tensor_of_another_model_or_given_twice_is_refused(tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG)
    save_file({"transformer.wte": np.ones(1, np.float32)}, folder / "model-2.safetensors")
    with pytest.raises(WeightsError, match=r"transformer\.wte is not part of Gemma 3"):
        TextEncoder.load(folder, mx.float32)
    save_file({"model.norm.weight": np.ones(48, np.float32)}, folder / "model-2.safetensors")
    with pytest.raises(WeightsError, match=r"model\.norm\.weight is in the folder twice"):
        TextEncoder.load(folder, mx.float32)


def test_a_torn_shard_is_refused_before_it_is_used(tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        TextEncoder.load(folder, mx.float32)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", 3])
def test_an_index_that_leaves_the_folder_is_refused(name: object, tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))
    with pytest.raises(WeightsError, match="weight_map"):
        TextEncoder.load(folder, mx.float32)


def test_the_published_configuration_gets_the_defaults_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED))
    config = GemmaConfig.read(tmp_path)
    assert (config.num_hidden_layers, config.hidden_size, config.head_dim, config.vocab_size) == (48, 3840, 256, None)
    assert (config.rope_theta, config.rope_local_base_freq, config.rope_factor) == (1e6, 1e4, 8.0)
    assert (config.sliding_window, config.sliding_window_pattern, config.eos_ids) == (1024, 6, (1, 106))


def test_both_ways_to_write_the_positions_mean_the_same(tmp_path: Path) -> None:
    new = {k: v for k, v in CONFIG.items() if k != "sliding_window_pattern"} | {
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5e5},
            "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
        },
    }
    old = {
        **CONFIG,
        "rope_theta": 5e5,
        "rope_local_base_freq": 2e4,
        "rope_scaling": {"type": "linear", "factor": 8.0},
    }
    read = []
    for config in (new, old):
        (tmp_path / "config.json").write_text(json.dumps(config))
        read.append(GemmaConfig.read(tmp_path))
    assert read[0] == read[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"hidden_size": None}, "hidden_size is None, expected a positive number"),
        ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ({"num_attention_heads": "many"}, "num_attention_heads is 'many'"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2}}, "scaled as 'yarn'"),
        ({"rope_scaling": 8}, "full_attention's positions is no JSON object"),
        ({"rope_parameters": ["linear"]}, "rope_parameters is no JSON object"),
        ({"rope_parameters": {"full_attention": "linear"}}, "full_attention's positions is no JSON object"),
        ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0"),
        ({"quantization": {"mode": "mxfp4", "bits": 4}}, "quantized as 'mxfp4'"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "not a regular pattern"),
    ],
)
def test_a_configuration_that_is_not_gemma_3s_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(WeightsError, match=message):
        GemmaConfig.read(tmp_path)


def test_loading_imports_neither_transformers_nor_torch_and_leaves_mlx_lm_whole(tmp_path: Path) -> None:
    folder = save_gemma(tmp_path, CONFIG)
    program = (
        "import sys; from pathlib import Path; import mlx.core as mx; from ltxbench.model.gemma import TextEncoder\n"
        f"TextEncoder.load(Path({str(folder)!r}), mx.float32)\n"
        "print([name for name in ('transformers', 'torch', 'mlx_lm') if name in sys.modules])\n"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"
