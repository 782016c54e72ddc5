from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import ResourceError, ResultError
from ltxbench.run.lossless import BYTES_PER_PIXEL, read_lossless, write_lossless
from ltxbench.run.video import write_video


def noise(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(32, 70), st.integers(32, 70)),
    kind=st.sampled_from(["noise", "black", "white", "ramp"]),
    seed=st.integers(0, 1000),
)
def test_every_frame_comes_back_bit_for_bit(tmp_path_factory, shape, kind, seed):
    frames = noise(*shape, seed)
    if kind in ("black", "white"):
        frames[:] = 255 * (kind == "white")
    elif kind == "ramp":
        frames = np.arange(frames.size).reshape(frames.shape).astype(np.uint8)
    path = tmp_path_factory.mktemp("lossless") / "a.mkv"
    write_lossless(path, frames, 24)
    assert np.array_equal(np.stack(list(read_lossless(path))), frames)


def test_all_colours_survive(tmp_path):
    """All 2^24 of them would take a second; every pair of channels in full, the third at its edges."""
    values = np.arange(256, dtype=np.uint8)
    first, second = np.meshgrid(values, values)
    frames = [np.stack([first, second, np.full_like(first, edge)], -1) for edge in (0, 1, 127, 128, 254, 255)]
    frames += [np.roll(image, axis, -1) for image in frames for axis in (1, 2)]
    write_lossless(tmp_path / "a.mkv", np.stack(frames), 24)
    assert np.array_equal(np.stack(list(read_lossless(tmp_path / "a.mkv"))), frames)


def test_noise_takes_no_more_room_than_was_reckoned_with(tmp_path):
    frames = noise(9, 64, 64)
    write_lossless(tmp_path / "a.mkv", frames, 24)
    assert (tmp_path / "a.mkv").stat().st_size < BYTES_PER_PIXEL * frames.size / 3


def test_a_missing_end_is_an_error_or_leaves_frames_out(tmp_path):
    path = tmp_path / "a.mkv"
    frames = noise(5, 64, 64)
    write_lossless(path, frames, 24)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100], b""):
        path.write_bytes(damaged)
        try:
            found = list(read_lossless(path))
        except ResultError:
            continue
        assert len(found) < len(frames)


def test_an_mp4_is_not_taken_for_frames_without_loss(tmp_path):
    write_video(tmp_path / "a.mp4", noise(2, 32, 32), 24)
    with pytest.raises(ResultError, match="without loss"):
        list(read_lossless(tmp_path / "a.mp4"))


def test_what_is_no_video_is_refused_and_leaves_no_file(tmp_path):
    for frames in (noise(0, 8, 8), noise(1, 8, 8).astype(np.float32), noise(1, 8, 8)[0]):
        with pytest.raises(ValueError, match="expected uint8"):
            write_lossless(tmp_path / "a.mkv", frames, 24)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_no_file(tmp_path, small_files):
    with pytest.raises(ResourceError, match="the disk is full"):
        write_lossless(tmp_path / "a.mkv", noise(9, 128, 128), 24)
    assert not list(tmp_path.iterdir())
