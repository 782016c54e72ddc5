"""Previews and contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ltxbench.errors import ResultError
from ltxbench.report import previews, sheets
from ltxbench.report.decode import MOST_THUMBNAILS, decode, evenly
from ltxbench.run.video import write_video


def clip(path: Path, frames: int, width: int = 64, height: int = 48, *, noise: bool = False) -> Path:
    generator = np.random.default_rng(0)
    pixels = (
        generator.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
        if noise
        else np.stack([np.full((height, width, 3), 8 * index % 256, np.uint8) for index in range(frames)])
    )
    write_video(path, pixels, 24)
    return path


def test_a_preview_moves_as_long_as_its_video(tmp_path: Path) -> None:
    decoded = decode(clip(tmp_path / "a.mp4", 25), ())
    (tmp_path / "a.webp").write_bytes(previews.preview(decoded, 24, 1 << 20, None))
    with Image.open(tmp_path / "a.webp") as image:
        assert image.is_animated
        assert image.size == (64, 48)
        shown = []
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            shown.append(image.info["duration"])
    assert abs(sum(shown) - 1000 * 25 / 24) <= 1


def test_a_long_video_keeps_its_length_with_fewer_frames(tmp_path: Path) -> None:
    decoded = decode(clip(tmp_path / "a.mp4", 300, 32, 32), {7, 299, 300})
    assert decoded.count == 300
    assert set(decoded.wanted) == {7, 299}
    assert len(decoded.thumbnails) <= MOST_THUMBNAILS
    numbers = [number for number, _ in decoded.thumbnails]
    assert len(set(np.diff(numbers))) == 1
    chosen = [numbers[place] for place in evenly(len(numbers), previews.MOST_FRAMES)]
    assert abs(sum(previews.durations_ms(chosen, 300, 24)) - 12_500) <= 1


def test_a_preview_stays_below_its_limit(tmp_path: Path) -> None:
    decoded = decode(clip(tmp_path / "a.mp4", 12, 320, 240, noise=True), ())
    large = previews.preview(decoded, 24, 1 << 30, None)
    limit = len(large) // 3
    assert len(previews.preview(decoded, 24, limit, None)) <= limit


def test_synthetic_previews_and_sheets_carry_the_words(tmp_path: Path) -> None:
    decoded = decode(clip(tmp_path / "a.mp4", 5), ())
    plain, told = sheets.of_case(decoded, None), sheets.of_case(decoded, "tiny weights: no meaning")
    assert told.height > plain.height
    (tmp_path / "a.webp").write_bytes(previews.preview(decoded, 24, 1 << 20, "tiny weights: no meaning"))
    with Image.open(tmp_path / "a.webp") as image:
        assert image.height > 48


def test_a_sheet_goes_from_the_first_frame_to_the_last(tmp_path: Path) -> None:
    decoded = decode(clip(tmp_path / "a.mp4", 25), ())
    sheet = sheets.of_case(decoded, None)
    assert sheet.width == sheets.COLUMNS * (64 + sheets.GAP_PX) + sheets.GAP_PX
    assert sheet.height == 2 * (48 + sheets.GAP_PX) + sheets.GAP_PX
    first = sheet.getpixel((sheets.GAP_PX + 50, sheets.GAP_PX + 40))
    last = sheet.getpixel((sheet.width - sheets.GAP_PX - 10, sheet.height - sheets.GAP_PX - 10))
    assert first[0] < 16
    assert abs(last[0] - 192) < 16


def test_a_case_without_frames_keeps_its_row() -> None:
    frame = Image.new("RGB", (64, 48))
    both = sheets.of_all([sheets.Row("#1 A", ((0, frame),)), sheets.Row("#2 B", (), "no video: timed out")], None)
    one = sheets.of_all([sheets.Row("#1 A", ((0, frame),))], None)
    assert both.height > one.height
    assert sheets.of_all([sheets.Row("#2 B", ())], None) is None


@pytest.mark.parametrize(("count", "wanted", "places"), [(3, 5, [0, 1, 2]), (25, 4, [0, 8, 16, 24]), (9, 1, [0])])
def test_places_are_even_and_hold_both_ends(count: int, wanted: int, places: list[int]) -> None:
    assert evenly(count, wanted) == places


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(ResultError, match="cannot be read as a video"):
        decode(tmp_path / "a.mp4", ())
