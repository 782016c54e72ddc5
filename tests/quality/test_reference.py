from __future__ import annotations

import sys

import numpy as np
import pytest

from ltxbench.errors import UsageError
from ltxbench.quality import compare_frames
from ltxbench.quality.records import FrameComparison
from tests.quality.runs import scene


def test_identical_frames_have_no_psnr_and_can_be_stored() -> None:
    found = compare_frames(scene(), scene())
    assert found.identical
    assert found.identical_frames == 9
    assert (found.psnr_db_mean, found.ssim_mean, found.worst) == (None, 1.0, None)
    assert FrameComparison.model_validate_json(found.model_dump_json()) == found


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    other = scene().copy()
    other[..., 0] ^= 1
    found = compare_frames(scene(), other)
    assert found.psnr_db_mean == pytest.approx(10 * np.log10(255**2 / (1 / 3)))
    assert found.identical_frames == 0


def test_the_mean_counts_errors_not_decibels() -> None:
    other = scene(count=2).copy()
    other[1, ..., 0] ^= 4
    found = compare_frames(scene(count=2), other)
    assert found.psnr_db_mean == pytest.approx(10 * np.log10(255**2 / (16 / 3 / 2)))


def test_the_worst_frame_is_named() -> None:
    other = scene().copy()
    other[2] ^= 1
    other[6, 10:40, 10:60] = 0
    found = compare_frames(scene(), other)
    assert found.worst is not None
    assert found.worst.frame == 6
    assert found.worst.ssim < 0.9
    assert [one.frame for one in found.differences] == [2, 6]
    assert found.identical_frames == 7
    assert found.ssim_mean == pytest.approx((7 + sum(one.ssim for one in found.differences)) / 9)


def test_the_perceptual_difference_grows_with_what_is_seen() -> None:
    faint, plain = (np.clip(scene(count=1).astype(int) + step, 0, 255).astype(np.uint8) for step in (2, 40))
    errors = [compare_frames(scene(count=1), other).flip_mean for other in (faint, plain)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert 0 < errors[0] < errors[1] < 1


def test_without_the_package_the_perceptual_difference_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    found = compare_frames(scene(), scene(seed=3))
    assert found.flip_mean is None
    assert found.ssim_mean is not None


def test_videos_of_two_shapes_are_refused_with_both() -> None:
    with pytest.raises(UsageError, match=r"8 frames of 96x64 cannot be compared .* 9 frames of 96x64"):
        compare_frames(scene(), scene(count=8))
    with pytest.raises(UsageError, match="too small"):
        compare_frames(scene(height=8), scene(height=8))
