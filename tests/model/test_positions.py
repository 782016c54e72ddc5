from __future__ import annotations

import numpy as np
import pytest

from ltxbench.model.positions import Grid, token_positions
from tests.model.golden import golden


def test_the_bounds_of_the_golden_tokens_are_exact() -> None:
    positions = token_positions((4, 16, 24), 24)
    assert positions.shape == (1, 3, 1536, 2)
    assert positions.dtype == np.float32
    for token, bounds in golden()["positions"].items():
        assert np.array_equal(positions[0, :, int(token)], np.float32(bounds))


def test_the_first_latent_frame_lasts_one_frame_and_the_others_eight() -> None:
    starts, ends = np.moveaxis(token_positions((3, 1, 1), 8)[0, 0], -1, 0)
    assert starts.tolist() == [0, 0.125, 1.125]
    assert ends.tolist() == [0.125, 1.125, 2.125]


def test_tokens_run_over_columns_then_rows_then_frames() -> None:
    starts = token_positions((2, 2, 3), 1)[0, :, :, 0]
    assert starts[2].tolist() == [0, 32, 64] * 4
    assert starts[1].tolist() == [0, 0, 0, 32, 32, 32] * 2
    assert starts[0].tolist() == [0] * 6 + [1] * 6


def test_the_rate_scales_time_only() -> None:
    slow, fast = token_positions((3, 2, 2), 12), token_positions((3, 2, 2), 24)
    assert np.array_equal(slow[:, 0], 2 * fast[:, 0])
    assert np.array_equal(slow[:, 1:], fast[:, 1:])


def test_a_grid_counts_its_tokens() -> None:
    assert Grid(16, 16, 24).tokens == 6144


@pytest.mark.parametrize(
    ("grid", "fps"), [((0, 1, 1), 24), ((1, 1, -2), 24), ((1, 1, 1), 0), ((1, 1, 1), float("nan"))]
)
def test_an_empty_grid_or_rate_is_refused(grid: tuple[int, int, int], fps: float) -> None:
    with pytest.raises(ValueError):
        token_positions(grid, fps)
