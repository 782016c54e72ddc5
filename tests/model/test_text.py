from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.features import normalize
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.text import TextProjection, encode_prompt, encode_prompts, gemma_states
from ltxbench.model.tokenizer import PromptTokenizer, Tokens
from ltxbench.weights.tiny.tokenizer import vocabulary
from tests.model.seeded import save_checkpoint, weights
from tests.model.text_inputs import connector_shapes, error, gemma_config, save_gemma

CONFIG = gemma_config(vocab_size=len(vocabulary()), num_hidden_layers=3)
PROMPTS = ("", "river", "  The beaver builds a dam. 🦫\n", "the cold river turns and " * 60)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gemma(tmp_path_factory.mktemp("gemma"), CONFIG)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    tensors = weights(connector_shapes(48, 2, 16, 3), seed=1)
    config = {"transformer": {"connector_num_attention_heads": 4, "connector_attention_head_dim": 12}}
    return Checkpoint(save_checkpoint(tmp_path_factory.mktemp("u") / "u.safetensors", tensors, config))


def test_prompts_of_any_length_become_contexts_of_one_length(gemma: Path, checkpoint: Checkpoint) -> None:
    contexts = encode_prompts(gemma, checkpoint, PROMPTS, mx.float32, length=64)
    tokenizer = PromptTokenizer.load(gemma)
    for prompt, encoded in zip(PROMPTS, contexts, strict=True):
        assert encoded.context.shape == (1, 64, 48)
        assert encoded.context.dtype == mx.float32
        assert np.isfinite(np.asarray(encoded.context)).all()
        assert encoded.valid_tokens == min(len(tokenizer.ids(prompt.strip())), 64)
    assert contexts[0].valid_tokens == 1
    assert contexts[-1].valid_tokens == 64


def test_one_prompt_with_all_weights_at_hand_is_the_same(gemma: Path, checkpoint: Checkpoint) -> None:
    tokenizer, encoder = PromptTokenizer.load(gemma), TextEncoder.load(gemma, mx.float32)
    projection = TextProjection.from_checkpoint(checkpoint, mx.float32)
    for prompt, other in zip(PROMPTS, encode_prompts(gemma, checkpoint, PROMPTS, mx.float32, 64), strict=True):
        encoded = encode_prompt(tokenizer, encoder, projection, prompt, 64)
        assert error(encoded.context, np.asarray(other.context)) < 1e-6


def test_padding_left_out_is_the_same_as_padding_computed(gemma: Path, checkpoint: Checkpoint) -> None:
    tokenizer, encoder = PromptTokenizer.load(gemma), TextEncoder.load(gemma, mx.float32)
    projection = TextProjection.from_checkpoint(checkpoint, mx.float32)
    ids, mask = tokenizer("the beaver swims", 64)
    states = gemma_states(encoder, Tokens(ids, mask))
    assert states.normalized.shape[1] == states.valid_tokens < 64
    features = projection.features(normalize(encoder.hidden_states(ids, mask), mask))
    whole = np.asarray(projection.connector(features, mask))
    assert error(projection(states).context, whole) < 1e-5


def test_different_prompts_give_different_contexts(gemma: Path, checkpoint: Checkpoint) -> None:
    first, second = encode_prompts(gemma, checkpoint, ("a dam", "a river"), mx.float32, length=32)
    assert error(first.context, np.asarray(second.context)) > 1e-2


def test_a_projection_for_another_gemma_is_refused(tmp_path: Path, gemma: Path) -> None:
    tensors = weights(connector_shapes(48, 1, 16, 5), seed=1)
    config = {"transformer": {"connector_num_attention_heads": 4}}
    other = Checkpoint(save_checkpoint(tmp_path / "u.safetensors", tensors, config))
    with pytest.raises(WeightsError, match="takes 288 values per token, this Gemma gives 192"):
        encode_prompts(gemma, other, ["a dam"], mx.float32, length=32)
