"""A video's frames in one pass: the wanted ones whole, and all of them small, as many as memory allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.errors import ResultError

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_PX = 320
MOST_THUMBNAILS = 128


@dataclass(frozen=True)
class Decoded:
    wanted: Mapping[int, Image]
    """Whole frames by number; a number that the video does not have is missing."""
    thumbnails: tuple[tuple[int, Image], ...]
    """(number, small frame), evenly spaced from the first frame on."""
    count: int


def decode(video: Path, wanted: Collection[int]) -> Decoded:
    """Raises ResultError for what is no video, or not all of one."""
    import av
    from av.error import FFmpegError

    whole: dict[int, Image] = {}
    small: list[tuple[int, Image]] = []
    stride, count = 1, 0
    try:
        with av.open(video) as container:
            if not container.streams.video:
                raise ResultError(f"{video}: no video in it")
            for number, frame in enumerate(container.decode(container.streams.video[0])):
                count = number + 1
                if number not in wanted and number % stride:
                    continue
                picture = frame.to_image()
                if number in wanted:
                    whole[number] = picture
                if number % stride == 0:
                    small.append((number, thumbnail(picture, THUMBNAIL_PX)))
                    if len(small) > MOST_THUMBNAILS:
                        small, stride = small[::2], 2 * stride
    except (FFmpegError, OSError) as error:
        raise ResultError(f"{video}: cannot be read as a video ({error})") from error
    return Decoded(whole, tuple(small), count)


def thumbnail(picture: Image, width_px: int) -> Image:
    """At most so wide; a smaller one as it is."""
    from PIL.Image import Resampling

    width, height = picture.size
    if width <= width_px:
        return picture
    return picture.resize((width_px, max(1, round(height * width_px / width))), Resampling.LANCZOS)


def evenly(count: int, wanted: int) -> list[int]:
    """Up to `wanted` places of `count`, evenly spaced, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    if wanted == 1:
        return [0]
    return [round(place * (count - 1) / (wanted - 1)) for place in range(wanted)]
