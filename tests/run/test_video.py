from __future__ import annotations

import numpy as np
import pytest

from ltxbench.errors import ResourceError, ResultError
from ltxbench.matrix.case import Case
from ltxbench.run.scripted import moving_gradient
from ltxbench.run.video import frames_sha256, probe, read_frame, write_video


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return moving_gradient(Case(name="a", title="A", width=96, height=64, frames=9))


@pytest.mark.parametrize("fps", [24, 30])
def test_a_video_has_the_size_the_frames_and_the_rate_it_was_given(tmp_path, frames, fps):
    write_video(tmp_path / "a.mp4", frames, fps)
    facts = probe(tmp_path / "a.mp4")
    assert (facts.width, facts.height, facts.frames, facts.fps) == (96, 64, 9, fps)
    assert (facts.codec, facts.pixel_format) == ("h264", "yuv420p")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_come_back_in_order_and_in_their_colours(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames, 24, crf=10)
    for index in (0, 4, 8, -1):
        difference = read_frame(tmp_path / "a.mp4", index).astype(int) - frames[index]
        assert np.abs(difference).mean() < 3
    with pytest.raises(IndexError):
        read_frame(tmp_path / "a.mp4", 9)


def test_pure_colours_survive(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (5, 32, 32, 3))
    write_video(tmp_path / "a.mp4", frames, 24)
    for index, colour in enumerate(colours):
        assert np.abs(read_frame(tmp_path / "a.mp4", index).mean(axis=(0, 1)) - colour).max() < 8


def test_the_same_frames_give_the_same_bytes_and_others_do_not(tmp_path, frames):
    def encoded(images: np.ndarray) -> bytes:
        write_video(tmp_path / "a.mp4", images, 24)
        return (tmp_path / "a.mp4").read_bytes()

    same = {encoded(frames) for _ in range(20)}  # a race inside the encoder shows in some of them
    assert len(same) == 1
    assert encoded(frames[::-1]) not in same


def test_the_index_comes_before_the_pictures(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames, 24)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("shape", [(0, 32, 32, 3), (9, 33, 32, 3), (9, 32, 31, 3), (9, 32, 32), (9, 32, 32, 4)])
def test_what_is_no_video_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"even sizes|expected uint8"):
        write_video(tmp_path / "a.mp4", np.zeros(shape, np.uint8), 24)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_resource_error_and_leaves_no_video(tmp_path, small_files):
    noise = np.random.default_rng(0).integers(0, 256, (9, 256, 256, 3), np.uint8)
    with pytest.raises(ResourceError, match="the disk is full"):
        write_video(tmp_path / "a.mp4", noise, 24)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"no video at all"])
def test_what_cannot_be_read_is_a_result_error(tmp_path, data):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    for read in (probe, lambda path: read_frame(path, 0)):
        with pytest.raises(ResultError, match="cannot be read as a video"):
            read(path)
    with pytest.raises(ResultError):
        probe(tmp_path / "missing.mp4")


def test_the_hash_sees_every_pixel_the_order_and_the_shape(frames):
    changed = frames.copy()
    changed[3, 10, 10, 1] ^= 1
    hashes = {frames_sha256(part) for part in (frames, changed, frames[::-1], frames.reshape(9, 96, 64, 3))}
    assert len(hashes) == 4
    assert frames_sha256(frames) == frames_sha256(np.asfortranarray(frames))
    with pytest.raises(ValueError, match="no frames"):
        frames_sha256(frames[:0])
