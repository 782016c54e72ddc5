"""Animated previews for hosts that play no video: small WebP files of bounded size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ltxbench.report.decode import THUMBNAIL_PX, Decoded, evenly, thumbnail
from ltxbench.report.stills import marked

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_FRAMES = 48
MOST_BYTES = 400 << 10
ALL_BYTES = 6 << 20
"""Of all previews of a page together."""
ATTEMPTS = ((THUMBNAIL_PX, 60), (THUMBNAIL_PX, 35), (240, 35), (176, 25), (128, 10))
"""(width in pixels, quality), tried in order until one is small enough."""
SHORTEST_MS = 20  # browsers take less for a mistake, and play it slowly


def budget_bytes(cases: int) -> int:
    return min(MOST_BYTES, ALL_BYTES // max(1, cases))


def preview(decoded: Decoded, fps: float, limit_bytes: int, mark: str | None) -> bytes:
    """A WebP that loops at the video's own speed, of at least one frame: the best that stays below the limit.

    The smallest is taken whatever its size: which files a page has must not depend on the encoder's version.
    mark: words for a strip below, as on stills
    """
    chosen = [decoded.thumbnails[place] for place in evenly(len(decoded.thumbnails), MOST_FRAMES)]
    shown = durations_ms([number for number, _ in chosen], decoded.count, fps)
    data = b""
    for width, quality in ATTEMPTS:
        pictures = [thumbnail(picture, width) for _, picture in chosen]
        data = _webp([marked(picture, mark) if mark else picture for picture in pictures], shown, quality)
        if len(data) <= limit_bytes:
            break
    return data


def durations_ms(numbers: Sequence[int], count: int, fps: float) -> list[int]:
    """How long each frame stands until the next one that is kept; together as long as the video."""
    at = [round(1000 * number / (fps or 1)) for number in [*numbers, count]]
    return [max(SHORTEST_MS, after - before) for before, after in pairwise(at)]


def _webp(pictures: Sequence[Image], shown_ms: list[int], quality: int) -> bytes:
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=shown_ms,
        loop=0,
        quality=quality,
        method=3,
    )
    return buffer.getvalue()
