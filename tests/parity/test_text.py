"""Tokenizer, chat template, feature extractor and connector against the official code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.text_encoders.gemma.tokenizer import LTXVGemmaTokenizer
from transformers import AutoTokenizer

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.enhance import INSTRUCTION, chat
from ltxbench.model.features import normalize
from ltxbench.model.text import PromptStates, TextProjection, gemma_states
from ltxbench.model.tokenizer import PromptTokenizer, Tokens
from ltxbench.weights.tiny.tokenizer import tokenizer_config, tokenizer_json
from tests.model.text_inputs import gemma_config, hidden_states, tokens
from tests.parity.conftest import Check
from tests.parity.reference_text import OfficialText, mlx_gemma, official_hidden_states, official_text

pytestmark = pytest.mark.parity

CONFIGURATIONS: dict[str, tuple[dict[str, Any], int]] = {
    "1x128, 1 layer, 8 registers of 32": ({"heads": 1, "head_dim": 128, "layers": 1, "registers": 8}, 32),
    "3x16, 2 layers, 16 registers of 48": ({"heads": 3, "head_dim": 16, "layers": 2, "registers": 16}, 48),
    "5x10, 3 layers, 4 registers of 20": ({"heads": 5, "head_dim": 10, "layers": 3, "registers": 4}, 20),
    "2x32, 2 layers, 128 registers of 128": ({"heads": 2, "head_dim": 32, "layers": 2, "registers": 128}, 128),
    "4x6, 2 layers, interleaved, over 50 positions": (
        {
            "heads": 4,
            "head_dim": 6,
            "layers": 2,
            "registers": 7,
            "rope_type": "interleaved",
            "connector_positional_embedding_max_pos": [50],
        },
        35,
    ),
    "1x64, 2 layers, 128 registers of 1024": ({"heads": 1, "head_dim": 64, "layers": 2, "registers": 128}, 1024),
}
PROMPTS = {
    "empty": "",
    "blank": " \n\t ",
    "one word": "beaver",
    "a sentence": "  A beaver builds a dam in the evening light.\n",
    "over-long": "the beaver swims slowly across the pond and " * 200,
    "emoji, CJK and right to left": "🦫👩‍🚀 ビーバーがダムを作る שלום مرحبا",
    "combining, control and private": "e\u0301 \u0000\u0007 \ue000 \u200b\ufeff",
    "special tokens spelt out": "<bos> and <end_of_turn> <start_of_turn>user <pad>",
    "spaces": "a  b   c\u00a0d",
}


def loaded(official: OfficialText, path: Path, dtype: mx.Dtype) -> TextProjection:
    return TextProjection.from_checkpoint(Checkpoint(official.save(path / "unified.safetensors")), dtype)


def float32(array: mx.array) -> np.ndarray:
    return np.asarray(array.astype(mx.float32))


@pytest.fixture(scope="module", params=[True, False], ids=["BOS configured", "no flag"])
def tokenizer_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    config = tokenizer_config()
    if not request.param:
        del config["add_bos_token"], config["add_eos_token"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("length", [8, 1024])
@pytest.mark.parametrize("name", PROMPTS)
def test_ids_and_mask_are_those_of_the_official_tokenizer(name: str, length: int, tokenizer_folder: Path) -> None:
    pairs = LTXVGemmaTokenizer(str(tokenizer_folder), length).tokenize_with_weights(PROMPTS[name])["gemma"]
    ids, mask = PromptTokenizer.load(tokenizer_folder)(PROMPTS[name], length)
    assert ids.tolist() == [[int(token) for token, _ in pairs]]
    assert mask.tolist() == [[int(weight) for _, weight in pairs]]


def test_the_chat_is_what_the_template_makes_of_the_two_roles(tokenizer_folder: Path) -> None:
    template = AutoTokenizer.from_pretrained(tokenizer_folder)
    for prompt in ("A beaver.", "  two\nlines  ", ""):
        messages = [
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": f"user prompt: {prompt}"},
        ]
        text = template.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert chat(prompt) == text
        assert PromptTokenizer.load(tokenizer_folder).ids(chat(prompt)) == template(text).input_ids


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_features_and_context_are_the_official_ones_at_any_prompt_length(
    name: str, tmp_path: Path, check: Check
) -> None:
    sizes, length = CONFIGURATIONS[name]
    official = official_text(**sizes, gemma_layers=3)
    projection = loaded(official, tmp_path, mx.float32)
    hidden = hidden_states(3, 1, length, sizes["heads"] * sizes["head_dim"])
    for valid in (1, 2, length // 2 + 1, length):
        mask = (np.arange(length)[None] >= length - valid).astype(np.int64)
        features = projection.features(normalize(map(mx.array, hidden), mx.array(mask)))
        check("feature extractor", f"{name}, {valid} tokens", features, official.features(hidden, mask), 1e-5)
        expected = official.context(hidden, mask)
        check("connector", f"{name}, {valid} tokens", projection.connector(features, mx.array(mask)), expected, 1e-5)

        start = length - valid
        cut, states = mx.array(mask[:, start:]), [mx.array(h[:, start:]) for h in hidden]
        context = projection(PromptStates(normalize(states, cut), cut, length)).context
        check("connector", f"{name}, {valid} tokens, padding left out", context, expected, 1e-5)


def test_a_batch_of_prompts_is_each_prompt_alone(tmp_path: Path, check: Check) -> None:
    official = official_text(heads=2, head_dim=16, layers=2, registers=8, gemma_layers=4)
    projection = loaded(official, tmp_path, mx.float32)
    hidden = hidden_states(4, 3, 24, 32)
    mask = (np.arange(24)[None] >= 24 - np.array([[1], [24], [11]])).astype(np.int64)
    out = projection.connector(projection.features(normalize(map(mx.array, hidden), mx.array(mask))), mx.array(mask))
    check("connector", "batch of 1, 24 and 11 tokens", out, official.context(hidden, mask), 1e-5)


def test_the_older_prefix_of_the_connector_is_read(tmp_path: Path, check: Check) -> None:
    official = official_text(heads=2, head_dim=16, layers=1, registers=8, gemma_layers=1)
    path = official.save(tmp_path / "new.safetensors")
    tensors = Checkpoint(path).tensors("")
    tensors = {key.replace("video_embeddings", "embeddings"): value for key, value in tensors.items()}
    mx.save_safetensors(str(tmp_path / "old.safetensors"), tensors, {"config": json.dumps(official.config)})
    projection = TextProjection.from_checkpoint(Checkpoint(tmp_path / "old.safetensors"), mx.float32)
    hidden, mask = hidden_states(1, 1, 16, 32), np.ones((1, 16), np.int64)
    context = projection(PromptStates(normalize(map(mx.array, hidden), mx.array(mask)), mx.array(mask), 16)).context
    check("connector", "older prefix", context, official.context(hidden, mask), 1e-5)


@pytest.mark.parametrize("valid", [1, 13, 32])
def test_bfloat16_is_as_close_as_torchs(valid: int, tmp_path: Path, check_bf16: Check) -> None:
    official = official_text(heads=2, head_dim=32, layers=2, registers=8, gemma_layers=3)
    projection = loaded(official, tmp_path, mx.bfloat16)
    hidden = hidden_states(3, 1, 32, 64)
    mask = (np.arange(32)[None] >= 32 - valid).astype(np.int64)
    features, context = official.features(hidden, mask), official.context(hidden, mask)
    official.processor.to(torch.bfloat16)
    states = [mx.array(h).astype(mx.bfloat16) for h in hidden]
    found = projection.features(normalize(states, mx.array(mask)))
    check_bf16("feature extractor", f"{valid} tokens", float32(found), official.features(hidden, mask), features)
    out = projection.connector(found, mx.array(mask))
    assert out.dtype == mx.bfloat16
    check_bf16("connector", f"{valid} tokens", float32(out), official.context(hidden, mask), context)


@pytest.mark.parametrize("valid", [1, 17, 64])
def test_the_whole_text_path_from_ids_to_context(valid: int, tmp_path: Path, check: Check) -> None:
    gemma, encoder = mlx_gemma(gemma_config(num_hidden_layers=5, sliding_window=24), mx.float32)
    official = official_text(heads=3, head_dim=16, layers=2, registers=16, gemma_layers=5)
    projection = loaded(official, tmp_path, mx.float32)
    ids, mask = tokens(64, [valid])
    expected = official.context(official_hidden_states(gemma, ids, mask), mask)
    out = projection(gemma_states(encoder, Tokens(mx.array(ids), mx.array(mask))))
    assert out.valid_tokens == valid
    check("text path, ids to context", f"{valid} of 64 tokens", out.context, expected, 1e-5)
