from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.positions import token_positions
from ltxbench.model.rope import Rope
from ltxbench.model.transformer_config import Precision, RopeType
from tests.model.golden import golden

ROUNDING = 2**-23
VIDEO = Rope(heads=32, head_dim=128, max_pos=(20, 2048, 2048))


def test_the_video_tables_hold_the_golden_values() -> None:
    rotation = VIDEO.rotation(token_positions((4, 16, 24), 24))
    cos, sin = np.array(rotation.cos), np.array(rotation.sin)
    assert cos.shape == (1, 1536, 32, 1, 64)
    assert sin.shape == (1, 1536, 32, 1, 64)
    for token, head, index, golden_cos, golden_sin in golden()["rope"]:
        assert abs(cos[0, token, head, 0, index] - golden_cos) <= ROUNDING
        assert abs(sin[0, token, head, 0, index] - golden_sin) <= ROUNDING


def test_the_connector_tables_hold_the_golden_values() -> None:
    rope = Rope(heads=30, head_dim=128, max_pos=(4096,))
    rotation = rope.rotation(np.arange(1024, dtype=np.float32)[None, None])
    cos, sin = np.array(rotation.cos), np.array(rotation.sin)
    for token, head, index, golden_cos, golden_sin in golden()["connector_rope"]:
        assert abs(cos[0, token, head, 0, index] - golden_cos) <= ROUNDING
        assert abs(sin[0, token, head, 0, index] - golden_sin) <= ROUNDING


def test_the_pairs_left_over_come_first_and_do_not_turn() -> None:
    rope = Rope(heads=2, head_dim=10, max_pos=(20, 2048, 2048))
    rotation = rope.rotation(token_positions((2, 3, 2), 24))
    angles = np.arctan2(np.array(rotation.sin)[..., 0, :], np.array(rotation.cos)[..., 0, :]).reshape(12, 10)
    assert not angles[:, 0].any()
    assert angles[:, 1:].any(axis=0).all()


@pytest.mark.parametrize("precision", Precision)
def test_frequencies_run_geometrically_from_a_quarter_turn_to_theta_of_them(precision: Precision) -> None:
    frequencies = Rope(32, 128, (20, 2048, 2048), 10000.0, precision=precision).frequencies()
    assert frequencies.shape == (682,)
    assert frequencies.dtype == np.float32
    assert np.allclose(frequencies[[0, -1]], [np.pi / 2, 5000 * np.pi], rtol=1e-7)
    assert np.allclose(frequencies[1:] / frequencies[:-1], 10000 ** (1 / 681), rtol=1e-5)


def test_float64_frequencies_are_the_correctly_rounded_ones() -> None:
    exact = np.array([10000 ** (i / 681) for i in range(682)], np.longdouble) * np.longdouble(np.pi) / 2
    assert np.abs(VIDEO.frequencies() / exact - 1).max() <= 2**-24 * 1.001
    single = Rope(32, 128, (20, 2048, 2048), precision=Precision.FLOAT32).frequencies()
    assert np.abs(single / exact - 1).max() > 2**-24


def test_split_turns_the_halves_of_a_head_and_interleaved_turns_neighbours() -> None:
    # One frequency on one axis: pi/2 times the coordinate 2 * 1 / 4 - 1 = -0.5 is minus an eighth of a turn.
    half = np.float32([[[1.0]]])
    cos, sin = np.cos(-np.pi / 4), np.sin(-np.pi / 4)
    x = mx.array([[[3.0, 5.0]]])
    for rope_type in RopeType:
        rotation = Rope(1, 2, (4,), rope_type=rope_type).rotation(half)
        assert np.allclose(rotation(x), [[[3 * cos - 5 * sin, 5 * cos + 3 * sin]]], atol=1e-6)
    wide = mx.array([[[1.0, 2.0, 3.0, 4.0]]])
    kept = {RopeType.SPLIT: [2.0, 4.0], RopeType.INTERLEAVED: [3.0, 4.0]}
    for rope_type, expected in kept.items():
        # Of two pairs the frequencies are pi/2 and theta * pi/2; theta 8 makes the second a whole number of turns.
        out = np.array(Rope(1, 4, (4,), 8.0, rope_type).rotation(half)(wide))[0, 0]
        last = [1, 3] if rope_type is RopeType.SPLIT else [2, 3]
        assert np.allclose(out[last], expected, atol=1e-5)


@pytest.mark.parametrize("rope_type", RopeType)
@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_a_rotation_keeps_length_shape_and_dtype(rope_type: RopeType, dtype: mx.Dtype) -> None:
    rope = Rope(3, 14, (20, 2048, 2048), rope_type=rope_type)
    rotation = rope.rotation(token_positions((2, 3, 4), 24))
    x = mx.random.normal((2, 24, 42), key=mx.random.key(0)).astype(dtype)
    out = rotation(x)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    norms = [mx.linalg.norm(y.astype(mx.float32).reshape(2, 24, 3, 14), axis=-1) for y in (x, out)]
    if rope_type is RopeType.SPLIT:
        assert mx.allclose(*norms, rtol=1e-2 if dtype == mx.bfloat16 else 1e-5)
    assert not mx.allclose(out, x, atol=0.1)


def test_samples_of_a_batch_may_lie_at_different_positions() -> None:
    rope = Rope(2, 12, (20, 2048, 2048))
    first, second = token_positions((2, 2, 3), 24), token_positions((2, 2, 3), 30)
    both = rope.rotation(np.concatenate([first, second]))
    for sample, positions in enumerate((first, second)):
        alone = rope.rotation(positions)
        assert mx.array_equal(both.cos[sample], alone.cos[0])
        assert mx.array_equal(both.sin[sample], alone.sin[0])


def test_a_token_stands_at_the_middle_of_its_bounds_or_at_their_start() -> None:
    bounds = np.float32([[[[0, 2], [2, 6]]]])
    assert Rope(1, 2, (8,)).coordinates(bounds).tolist() == [[[-0.75, 0.0]]]
    assert Rope(1, 2, (8,), middle=False).coordinates(bounds).tolist() == [[[-1.0, -0.5]]]


def test_positions_of_the_wrong_number_of_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 axes"):
        VIDEO.rotation(np.zeros((1, 2, 5, 2), np.float32))
