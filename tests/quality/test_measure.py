"""Figures without a reference, on frames whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ltxbench.quality import assess
from ltxbench.quality.luma import Frames
from ltxbench.quality.records import VideoQuality
from tests.quality.pictures import pan, photograph, to_uint8


def grey(*levels: float) -> Frames:
    return np.stack([np.full((64, 96, 3), level) for level in levels]).astype(np.uint8)


def video() -> Frames:
    return pan(photograph("coffee.png", 256), 9)


def test_a_blurred_video_is_less_sharp() -> None:
    soft = to_uint8(ndimage.gaussian_filter(video().astype(np.float32), (0, 2, 2, 0)))
    assert 0 < assess(soft).sharpness < 0.6 * assess(video()).sharpness < 1


def test_an_even_frame_is_not_sharp() -> None:
    assert assess(grey(90)).sharpness == 0


def test_flicker_is_the_jump_that_a_trend_does_not_explain() -> None:
    assert assess(grey(100, 104, 100, 104, 100)).motion.flicker == pytest.approx(8, rel=1e-4)
    assert assess(grey(100, 104, 108, 112, 116)).motion.flicker == pytest.approx(0, abs=1e-3)
    calm = assess(video()).motion.flicker
    assert calm is not None
    assert calm < 1


def test_a_still_has_no_motion() -> None:
    found = assess(video()[:1]).motion
    assert (found.flicker, found.change, found.frozen_frames) == (None, None, ())
    assert assess(video()[:2]).motion.flicker is None


def test_frames_that_repeat_the_one_before_are_named() -> None:
    frames = video().copy()
    frames[4], frames[7] = frames[3], frames[6]
    frames[7, ::20, ::20] ^= 1  # what an encoder adds
    assert assess(frames).motion.frozen_frames == (4, 7)
    assert assess(video()).motion.frozen_frames == ()


def test_a_video_that_never_moves_is_frozen_throughout() -> None:
    assert assess(np.stack([video()[0]] * 4)).motion.frozen_frames == (1, 2, 3)


def test_a_slow_camera_is_not_frozen() -> None:
    assert assess(pan(photograph("coffee.png", 256), 5, (0, 1))).motion.frozen_frames == ()


def test_black_frames_are_named_though_a_title_is_on_them() -> None:
    frames = video().copy()
    frames[0] = 3
    frames[8] = 20
    frames[8, 10:20, 10:20] = 200
    assert assess(frames).black_frames == (0, 8)


def test_a_dark_scene_is_not_black() -> None:
    assert assess(to_uint8(video() * 0.5)).black_frames == ()


def test_exposure_and_clipping_are_shares_of_all_pixels() -> None:
    frames = grey(0, 255, 100, 100)
    found = assess(frames).exposure
    assert found.mean_level == pytest.approx(455 / 4)
    assert (found.darkest_frame_level, found.brightest_frame_level) == pytest.approx((0, 255))
    assert (found.clipped_dark_share, found.clipped_bright_share) == (0.25, 0.25)


def test_contrast_is_the_span_of_levels() -> None:
    ramp = np.linspace(0, 200, 96)[None, None, :, None] * np.ones((2, 64, 1, 3))
    assert assess(ramp.astype(np.uint8)).exposure.contrast == pytest.approx(196, abs=3)


def test_the_figures_can_be_stored() -> None:
    found = assess(video())
    assert VideoQuality.model_validate_json(found.model_dump_json()) == found
    assert (found.frames, found.width, found.height) == (9, *video().shape[2:0:-1])


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3)), np.zeros((0, 4, 4, 3), np.uint8)]
)
def test_what_is_no_video_is_refused(wrong: Frames) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        assess(wrong)
