from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.connector import Connector, ConnectorConfig
from ltxbench.model.transformer_config import Precision, RopeType
from tests.model.seeded import Stored, noise, save_checkpoint, weights
from tests.model.text_inputs import connector_shapes, error, hidden_states

PREFIX = "model.diffusion_model.video_embeddings_connector."


def connector(path: Path, *, dim: int = 32, registers: int = 8, config: dict[str, Any] | None = None) -> Connector:
    tensors = weights(connector_shapes(dim, 1, registers, 1), seed=0)
    stored = {} if config is None else {"transformer": config}
    stored.setdefault("transformer", {"connector_attention_head_dim": 16})
    return Connector.from_checkpoint(Checkpoint(save_checkpoint(path / "u.safetensors", tensors, stored)), mx.float32)


def left_padded(length: int, *valid: int) -> mx.array:
    return mx.array((np.arange(length)[None] >= length - np.array(valid)[:, None]).astype(np.int32))


def test_the_stored_contexts_of_the_official_code_are_reproduced(tmp_path: Path) -> None:
    from ltxbench.model.text import PromptStates, TextProjection, normalize

    stored = Stored.read("text.safetensors")
    projection = TextProjection.from_checkpoint(Checkpoint(stored.checkpoint(tmp_path / "u.safetensors")), mx.float32)
    layers, batch, length, dim = stored.inputs["hidden"]
    hidden = hidden_states(layers, batch, length, dim)
    for valid in (1, 13, 32):
        for start in (0, length - valid):
            mask = left_padded(length, valid)[:, start:]
            states = PromptStates(normalize([mx.array(h[:, start:]) for h in hidden], mask), mask, length)
            assert error(projection(states).context, stored.outputs[f"context_{valid}"]) < 1e-5


def test_tokens_move_to_the_front_and_registers_keep_their_own_positions(tmp_path: Path) -> None:
    module = connector(tmp_path)
    features = mx.array(noise(1, 24, 32))
    out = np.asarray(module.with_registers(features, left_padded(24, 11), 24))[0]
    registers = np.asarray(module.learnable_registers)
    assert np.array_equal(out[:11], np.asarray(features)[0, 13:])
    assert all(np.array_equal(out[p], registers[p % 8]) for p in range(11, 24))


def test_the_order_of_tokens_is_kept_wherever_they_stand(tmp_path: Path) -> None:
    module = connector(tmp_path)
    features = mx.array(noise(2, 8, 32))
    mask = mx.array([[0, 1, 0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 0]])
    out = np.asarray(module.with_registers(features, mask, 16))
    assert np.array_equal(out[0, :4], np.asarray(features)[0, [1, 3, 4, 7]])
    assert np.array_equal(out[1, :2], np.asarray(features)[1, :2])
    assert np.array_equal(out[1, 2:8], np.asarray(module.learnable_registers)[2:])


def test_what_stands_in_padding_changes_nothing(tmp_path: Path) -> None:
    module = connector(tmp_path)
    features = noise(1, 16, 32)
    mask = left_padded(16, 5)
    clean = np.asarray(module(mx.array(features), mask))
    features[:, :11] = np.nan
    assert np.array_equal(np.asarray(module(mx.array(features), mask)), clean)


def test_a_prompt_in_a_batch_is_the_prompt_alone(tmp_path: Path) -> None:
    module = connector(tmp_path)
    features = noise(2, 16, 32)
    together = np.asarray(module(mx.array(features), left_padded(16, 3, 16)))
    for row, valid in enumerate((3, 16)):
        alone = module(mx.array(features[row : row + 1]), left_padded(16, valid))
        assert error(alone[0], together[row]) < 1e-6


@pytest.mark.parametrize("length", [12, 8])
def test_a_length_that_the_registers_do_not_divide_or_that_is_too_short_is_refused(length: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"text of {length} positions does not fit.*8 registers"):
        connector(tmp_path)(mx.zeros((1, 10, 32)), left_padded(10, 10), length)


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="connector is 32 wide, the text features are 16"):
        connector(tmp_path)(mx.zeros((1, 8, 16)), left_padded(8, 8))


@pytest.mark.parametrize(
    ("dim", "config", "heads"),
    [
        (256, {}, (2, 128)),
        (256, {"connector_num_attention_heads": 8}, (8, 32)),
        (256, {"connector_attention_head_dim": 64, "connector_num_attention_heads": 4}, (4, 64)),
        (96, {"attention_head_dim": 24}, (4, 24)),
        (96, {"attention_head_dim": 36, "num_attention_heads": 6}, (6, 16)),
    ],
)
def test_heads_come_from_the_configuration_or_are_128_wide(
    dim: int, config: dict[str, Any], heads: tuple[int, int], tmp_path: Path
) -> None:
    read = connector(tmp_path, dim=dim, config=config).config
    assert (read.heads, read.head_dim) == heads


def test_without_a_configuration_the_19bs_values_hold(tmp_path: Path) -> None:
    tensors = weights(connector_shapes(128, 2, 4, 1), seed=0)
    config = ConnectorConfig.from_checkpoint(Checkpoint(save_checkpoint(tmp_path / "u", tensors, {})), PREFIX)
    assert config == ConnectorConfig(
        layers=2,
        registers=4,
        heads=1,
        head_dim=128,
        max_pos=4096,
        rope_type=RopeType.SPLIT,
        precision=Precision.FLOAT64,
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"connector_num_attention_heads": 5}, "a width of 32 is not 5 heads of 6"),
        ({"connector_num_attention_heads": 32}, "a width of 32 is not 32 heads of 1, an even number each"),
        ({"connector_num_attention_heads": "8"}, "a width of 32 is not 8 heads of None"),
        ({"connector_attention_head_dim": 16, "rope_type": "spiral"}, "rope_type is 'spiral', expected split or"),
        (
            {"connector_attention_head_dim": 16, "connector_positional_embedding_max_pos": [1, 2]},
            r"max_pos is \[1, 2\], expected \[a number\]",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(
    config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        connector(tmp_path, config=config)


def test_a_file_without_a_connector_or_with_half_of_one_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "a", {"vae.x": noise(2)}, {})
    with pytest.raises(WeightsError, match="no embeddings connector"):
        Connector.from_checkpoint(Checkpoint(path), mx.float32)
    tensors = weights(connector_shapes(128, 2, 4, 1), seed=0)
    del tensors[f"{PREFIX}transformer_1d_blocks.0.ff.net.2.bias"]
    with pytest.raises(WeightsError, match=r"transformer_1d_blocks\.0\.ff\.net\.2\.bias is missing"):
        Connector.from_checkpoint(Checkpoint(save_checkpoint(tmp_path / "b", tensors, {})), mx.float32)
    tensors[f"{PREFIX}transformer_1d_blocks.0.ff.net.2.bias"] = noise(128)
    tensors[f"{PREFIX}transformer_1d_blocks.0.attn1.to_gate_logits.bias"] = noise(1)
    with pytest.raises(WeightsError, match=r"to_gate_logits\.bias is not part of the model"):
        Connector.from_checkpoint(Checkpoint(save_checkpoint(tmp_path / "c", tensors, {})), mx.float32)
    del tensors[f"{PREFIX}learnable_registers"]
    with pytest.raises(WeightsError, match="learnable_registers is missing"):
        Connector.from_checkpoint(Checkpoint(save_checkpoint(tmp_path / "d", tensors, {})), mx.float32)
