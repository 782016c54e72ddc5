"""Gemma 3's hidden states against transformers, through a folder as transformers saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch

from ltxbench.model.gemma import TextEncoder
from tests.model.text_inputs import gemma_config, tokens
from tests.parity.conftest import Check
from tests.parity.reference_text import mlx_gemma, official_hidden_states, random_gemma, random_multimodal

pytestmark = pytest.mark.parity

LINEAR = {"rope_type": "linear", "factor": 8.0}
CONFIGURATIONS: dict[str, tuple[dict[str, Any], int, list[int]]] = {
    "4 layers, 4/2 heads, window 8 of 20": (gemma_config(), 20, [15]),
    "7 layers, 3/1 heads, window 64 of 33": (
        gemma_config(num_hidden_layers=7, num_attention_heads=3, num_key_value_heads=1, head_dim=32, sliding_window=64,
                     sliding_window_pattern=6, hidden_size=36, rope_scaling=LINEAR), 33, [23]),
    "2 layers, 6/6 heads, all global": (
        gemma_config(num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=6, head_dim=8, hidden_size=60,
                     sliding_window_pattern=1, rope_scaling=LINEAR), 11, [11]),
    "1 layer, no global one": (gemma_config(num_hidden_layers=1, sliding_window=3), 9, [4]),
    "5 layers, batch of 3, window 5 of 17": (
        gemma_config(num_hidden_layers=5, sliding_window=5, sliding_window_pattern=2, head_dim=20,
                     query_pre_attn_scalar=7, rope_theta=5000.0, rope_local_base_freq=77.0), 17, [17, 1, 9]),
    "12 layers, window 16 of 16": (
        gemma_config(num_hidden_layers=12, sliding_window=16, sliding_window_pattern=6, rope_scaling=LINEAR,
                     rms_norm_eps=1e-5), 16, [5]),
    "3 layers, 1024 positions as published": (
        gemma_config(num_hidden_layers=3, sliding_window=1024, rope_scaling=LINEAR), 1024, [140]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_hidden_state_is_that_of_transformers(name: str, check: Check) -> None:
    config, length, valid = CONFIGURATIONS[name]
    reference, encoder = mlx_gemma(config, mx.float32)
    ids, mask = tokens(length, valid)
    expected = official_hidden_states(reference, ids, mask)
    states = [np.asarray(state) for state in encoder.hidden_states(mx.array(ids), mx.array(mask))]
    assert len(states) == len(expected) == config["num_hidden_layers"] + 1
    assert all(np.isfinite(state).all() for state in states)
    chosen = mask.astype(bool)
    for index, (state, ref) in enumerate(zip(states, expected, strict=True)):
        check("Gemma 3 hidden states", f"{name}, state {index}", state[chosen], ref[chosen], 1e-5)


@pytest.mark.parametrize("name", list(CONFIGURATIONS)[:2])
def test_leaving_common_padding_out_gives_the_same_states(name: str, check: Check) -> None:
    config, length, (valid,) = CONFIGURATIONS[name]
    reference, encoder = mlx_gemma(config, mx.float32)
    ids, mask = tokens(length, [valid])
    start = length - valid
    expected = official_hidden_states(reference, ids, mask)
    given = encoder.hidden_states(mx.array(ids[:, start:]), mx.array(mask[:, start:]), offset=start)
    for state, ref in zip(given, expected, strict=True):
        check("Gemma 3 hidden states", f"{name}, padding left out", state, ref[:, start:], 1e-5)


@pytest.mark.parametrize("width", [48, 240])
def test_bfloat16_is_as_close_as_torchs(width: int, check_bf16: Check) -> None:
    config = gemma_config(num_hidden_layers=6, hidden_size=width, rope_scaling=LINEAR)
    reference, encoder = mlx_gemma(config, mx.bfloat16)
    ids, mask = tokens(24, [19])
    expected = official_hidden_states(reference, ids, mask)
    rounded = official_hidden_states(reference.to(torch.bfloat16), ids, mask)
    states = list(encoder.hidden_states(mx.array(ids), mx.array(mask)))
    assert states[-1].dtype == mx.bfloat16
    for index in (1, 3, 6):
        out = np.asarray(states[index].astype(mx.float32))
        name = f"width {width}, state {index}"
        check_bf16("Gemma 3 hidden states", name, out[:, 5:], rounded[index][:, 5:], expected[index][:, 5:])


def test_a_multimodal_folder_of_transformers_is_read(tmp_path: Path, check: Check) -> None:
    model = random_multimodal(gemma_config(num_hidden_layers=3, rope_scaling=LINEAR), tmp_path)
    ids, mask = tokens(12, [10])
    expected = official_hidden_states(model, ids, mask)
    encoder = TextEncoder.load(tmp_path, mx.float32)
    for state, ref in zip(encoder.hidden_states(mx.array(ids), mx.array(mask)), expected, strict=True):
        check("Gemma 3 hidden states", "multimodal folder", np.asarray(state)[:, 2:], ref[:, 2:], 1e-5)


def test_a_folder_with_the_configuration_of_transformers_5_is_read(tmp_path: Path, check: Check) -> None:
    config = gemma_config(rope_scaling=LINEAR, rope_theta=3000.0)
    model = random_gemma(config, tmp_path)
    model.config.save_pretrained(tmp_path)  # layer_types and rope_parameters
    ids, mask = tokens(14, [14])
    encoder = TextEncoder.load(tmp_path, mx.float32)
    last = list(encoder.hidden_states(mx.array(ids), mx.array(mask)))[-1]
    check("Gemma 3 hidden states", "transformers 5", last, official_hidden_states(model, ids, mask)[-1], 1e-5)


def test_next_logits_through_the_caches_are_those_of_the_whole_text(check: Check) -> None:
    reference, encoder = mlx_gemma(gemma_config(sliding_window=6, num_hidden_layers=4), mx.float32)
    ids, _ = tokens(23, [23])
    with torch.no_grad():
        expected = reference(input_ids=torch.from_numpy(ids)).logits[0].numpy()
    caches = encoder.caches()
    logits = encoder.next_logits(mx.array(ids[:, :15]), caches)
    check("Gemma 3 logits", "prefill", logits, expected[14], 1e-5)
    for position in range(15, 23):
        logits = encoder.next_logits(mx.array(ids[:, position : position + 1]), caches)
        check("Gemma 3 logits", f"token {position}", logits, expected[position], 1e-5)
