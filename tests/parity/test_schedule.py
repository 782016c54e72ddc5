"""Noise levels, positions, timestep waves and rotation tables, bit for bit where the official code is in float32."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
import torch
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.model.transformer.rope import (
    LTXRopeType,
    generate_freq_grid_np,
    generate_freq_grid_pytorch,
    precompute_freqs_cis,
)
from ltx_core.model.transformer.timestep_embedding import get_timestep_embedding

from ltxbench.model.positions import token_positions
from ltxbench.model.rope import Rope
from ltxbench.model.schedule import dev_sigmas
from ltxbench.model.timestep import sinusoid
from ltxbench.model.transformer_config import Precision, RopeType
from tests.parity.reference_transformer import official_positions

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("tokens", [4, 96, 1536, 4096, 6144, 9216, 32400])
def test_dev_sigmas_are_the_official_ones_to_the_bit(tokens: int) -> None:
    for steps in range(2, 101):
        official = LTX2Scheduler().execute(steps, latent=torch.empty(1, 1, tokens))
        assert np.array_equal(dev_sigmas(steps, tokens), official.numpy())


def test_a_single_dev_step_is_finite_where_the_official_stretch_divides_zero_by_zero() -> None:
    assert np.isnan(LTX2Scheduler().execute(1, latent=torch.empty(1, 1, 1536)).numpy()[0])
    assert np.array_equal(dev_sigmas(1, 1536), np.float32([1, 0]))


def test_the_scheduler_assumes_4096_tokens_when_told_none() -> None:
    assert np.array_equal(dev_sigmas(40), LTX2Scheduler().execute(40).numpy())


@pytest.mark.parametrize("fps", [1, 12.5, 23.976, 24, 25, 29.97, 30, 60])
def test_positions_are_the_official_ones_to_the_bit(fps: float) -> None:
    for grid in ((1, 1, 1), (4, 16, 24), (16, 3, 5), (33, 2, 1)):
        assert np.array_equal(token_positions(grid, fps), official_positions(grid, fps).numpy())


def test_timestep_waves_agree_to_float32_rounding() -> None:
    timesteps = np.concatenate([np.linspace(0, 1000, 401), np.geomspace(1e-3, 1, 50)]).astype(np.float32)
    official = get_timestep_embedding(torch.from_numpy(timesteps), 256, flip_sin_to_cos=True, downscale_freq_shift=0)
    # One unit in the last place of the angle, which reaches 1000.
    assert np.abs(np.array(sinusoid(mx.array(timesteps))) - official.numpy()).max() <= 2 * np.spacing(np.float32(1000))


@pytest.mark.parametrize("rope_type", RopeType)
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize(("heads", "head_dim", "theta"), [(32, 128, 1e4), (3, 10, 1e4), (1, 8, 37.0), (5, 22, 1e6)])
@pytest.mark.parametrize("middle", [True, False])
def test_rotation_tables_agree_to_float32_rounding(
    rope_type: RopeType, precision: Precision, heads: int, head_dim: int, theta: float, middle: bool
) -> None:
    positions = official_positions((4, 3, 5), 24)
    rope = Rope(heads, head_dim, (20, 2048, 2048), theta, rope_type, precision, middle)
    cos, sin = precompute_freqs_cis(
        positions,
        dim=heads * head_dim,
        out_dtype=torch.float32,
        theta=theta,
        max_pos=[20, 2048, 2048],
        use_middle_indices_grid=middle,
        num_attention_heads=heads,
        rope_type=LTXRopeType(rope_type),
        freq_grid_generator=generate_freq_grid_np if precision is Precision.FLOAT64 else generate_freq_grid_pytorch,
    )
    rotation = rope.rotation(positions.numpy())
    ours_cos, ours_sin = np.array(rotation.cos), np.array(rotation.sin)
    if rope_type is RopeType.SPLIT:
        cos, sin = (table.transpose(1, 2)[..., None, :] for table in (cos, sin))
    else:
        cos, sin = (table.unflatten(-1, (-1, 2))[..., :1] for table in (cos, sin))
    assert ours_cos.shape == tuple(cos.shape)
    # float32 frequencies come from another exponential: up to one unit in the last place of the largest angle apart.
    largest = np.float32(theta * np.pi / 2) if precision is Precision.FLOAT32 else np.float32(1)
    assert np.abs(ours_cos - cos.numpy()).max() <= 2 * np.spacing(largest)
    assert np.abs(ours_sin - sin.numpy()).max() <= 2 * np.spacing(largest)
