"""Stills carry what their weights were, in the file itself: a picture is copied without its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ltxbench.report.decode import decode
from ltxbench.report.stills import INK, STRIP, mark_of, marked, save
from ltxbench.run.records import Weights
from ltxbench.run.video import read_frame, write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    frames = np.random.default_rng(1).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", frames, 24)
    return tmp_path / "a.mp4"


def still(video: Path, weights: Weights) -> np.ndarray:
    save(decode(video, {1}), "a.mp4", "a", [1], video.parent / "frames", mark=mark_of(weights))
    with Image.open(video.parent / "frames" / "a_frame_1.png") as image:
        return np.asarray(image)


def test_a_still_of_real_weights_is_the_frame_alone(video):
    assert np.array_equal(still(video, Weights(kind="official", synthetic=False)), read_frame(video, 1))


def test_a_still_of_synthetic_weights_has_words_below_and_the_frame_untouched(video):
    pixels = still(video, Weights(kind="random", synthetic=True))
    frame = read_frame(video, 1)
    assert np.array_equal(pixels[: len(frame)], frame)
    strip = pixels[len(frame) :]
    assert strip.shape[0] >= 7
    assert tuple(strip[0, 0]) == STRIP
    assert strip.max() > 180


def test_the_words_name_the_weights():
    assert mark_of(Weights(kind="random", synthetic=True)) == "random weights: no meaning"
    assert mark_of(Weights(kind="official", synthetic=False)) is None


@pytest.mark.parametrize("size", [(32, 32), (96, 640), (1024, 576)])
def test_the_words_fit_into_any_picture(size):
    words = np.asarray(marked(Image.new("RGB", size), "random:small, from disk weights: no meaning"))[size[1] :]
    ink = (words > (np.array(INK) + STRIP) / 2).all(axis=-1)
    columns = np.flatnonzero(ink.any(axis=0))
    if size[0] > 90:
        assert columns.size
        assert columns[0] > 0
        assert columns[-1] < size[0] - 1
