from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.features import FeatureExtractor, normalize
from tests.model.seeded import Stored, save_checkpoint
from tests.model.text_inputs import error, hidden_states

KEY = "text_embedding_projection.aggregate_embed.weight"


def test_the_stored_features_of_the_official_code_are_reproduced(tmp_path: Path) -> None:
    stored = Stored.read("text.safetensors")
    extractor = FeatureExtractor.from_checkpoint(Checkpoint(stored.checkpoint(tmp_path / "u.safetensors")), mx.float32)
    layers, batch, length, dim = stored.inputs["hidden"]
    hidden = hidden_states(layers, batch, length, dim)
    for valid in (1, 13, 32):
        mask = (np.arange(length)[None] >= length - valid).astype(np.int32)
        features = extractor(normalize(map(mx.array, hidden), mx.array(mask)))
        assert error(features[:, -valid:], stored.outputs[f"features_{valid}"]) < 1e-5
        assert not np.asarray(features[:, : length - valid]).any()


def test_each_layer_is_scaled_by_its_own_range_and_the_layer_varies_fastest() -> None:
    first = np.array([[[0.0, 4.0], [2.0, 2.0]]], np.float32)
    out = np.asarray(normalize([mx.array(first), mx.array(first * 100 + 7)], mx.array([[1, 1]])))
    expected = (first - 2) * 8 / 4
    assert out.shape == (1, 2, 4)
    np.testing.assert_allclose(out[..., 0::2], expected, atol=1e-5)
    np.testing.assert_allclose(out[..., 1::2], expected, atol=1e-5)


@pytest.mark.parametrize("padding", [1e30, np.inf, np.nan])
def test_what_stands_in_padding_is_never_seen(padding: float) -> None:
    hidden = hidden_states(1, 1, 6, 4)
    mask = mx.array([[0, 0, 1, 1, 1, 1]])
    clean = np.asarray(normalize(map(mx.array, hidden), mask))
    for state in hidden:
        state[:, :2] = padding
    assert np.array_equal(np.asarray(normalize(map(mx.array, hidden), mask)), clean)
    assert not clean[:, :2].any()


def test_statistics_are_float32_whatever_the_states_are() -> None:
    state = (np.random.RandomState(0).standard_normal((1, 50, 64)) * 3 + 1000).astype(np.float32)
    half = mx.array(state).astype(mx.bfloat16)
    exact = normalize([half.astype(mx.float32)], mx.ones((1, 50)))
    out = normalize([half], mx.ones((1, 50)))
    assert out.dtype == mx.bfloat16
    assert float(mx.abs(out.astype(mx.float32) - exact).max()) < 8 * 2**-8


def test_states_are_taken_from_an_iterator_one_by_one() -> None:
    assert normalize((mx.ones((1, 3, 2)) * i for i in range(4)), mx.ones((1, 3))).shape == (1, 3, 8)


def test_a_constant_layer_stays_finite() -> None:
    assert np.isfinite(np.asarray(normalize([mx.full((1, 3, 2), 5.0)], mx.ones((1, 3))))).all()


def test_a_gemma_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "u.safetensors", {KEY: np.ones((4, 12), np.float32)}, {})
    with pytest.raises(WeightsError, match="takes 12 values per token, this Gemma gives 8"):
        FeatureExtractor.from_checkpoint(Checkpoint(path), mx.float32)(mx.ones((1, 3, 8)))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"other": np.ones(1, np.float32)}, "aggregate_embed.weight is missing"),
        ({KEY: np.ones(3, np.float32)}, "expected two dimensions"),
        (
            {KEY: np.ones((2, 4), np.float32), KEY.replace("weight", "bias"): np.ones(2, np.float32)},
            "bias is not part of the model",
        ),
    ],
)
def test_another_projection_is_refused_by_name(tensors: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "u.safetensors", tensors, {})
    with pytest.raises(WeightsError, match=message):
        FeatureExtractor.from_checkpoint(Checkpoint(path), mx.float32)
