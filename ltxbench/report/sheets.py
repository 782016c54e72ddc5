"""Contact sheets: frames of one case in a grid, and all cases one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ltxbench.report.decode import Decoded, evenly, thumbnail
from ltxbench.report.stills import marked

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

FRAMES = 8
COLUMNS = 4
FRAME_PX = 168
ROW_FRAMES = 5
ROW_PX, NARROW_PX, NARROW_FROM = 136, 96, 17
GAP_PX = 6
LINE_PX = 20
PAPER, INK, PLATE = (255, 255, 255), (31, 35, 40), (32, 32, 32)
NOTHING = (234, 238, 242)


@dataclass(frozen=True)
class Row:
    """One case of the sheet over all cases."""

    label: str
    frames: tuple[tuple[int, Picture], ...]
    nothing: str = "no video"
    """Said where there are no frames."""


def of_case(decoded: Decoded, mark: str | None) -> Picture:
    """Up to eight frames from the first to the last, each with its number."""
    chosen = [decoded.thumbnails[place] for place in evenly(len(decoded.thumbnails), FRAMES)]
    columns = min(COLUMNS, len(chosen))
    rows = [chosen[start : start + columns] for start in range(0, len(chosen), columns)]
    pictures = [[(number, thumbnail(picture, FRAME_PX)) for number, picture in row] for row in rows]
    sheet = _stack([_across(row) for row in pictures])
    return marked(sheet, mark) if mark else sheet


def pick(decoded: Decoded, cases: int) -> tuple[tuple[int, Picture], ...]:
    """What a row of the sheet over `cases` cases shows of one video."""
    width = ROW_PX if cases < NARROW_FROM else NARROW_PX
    places = evenly(len(decoded.thumbnails), ROW_FRAMES)
    return tuple((number, thumbnail(picture, width)) for number, picture in (decoded.thumbnails[p] for p in places))


def of_all(rows: Sequence[Row], mark: str | None) -> Picture | None:
    """Every case under its label, the same moments of each video side by side. None without any frame."""
    if not any(row.frames for row in rows):
        return None
    width = max(picture.width for row in rows for _, picture in row.frames)
    parts = []
    for row in rows:
        strip = _across(row.frames) if row.frames else _empty(row.nothing, width)
        parts += [_line(row.label, ROW_FRAMES * (width + GAP_PX)), strip]
    sheet = _stack(parts)
    return marked(sheet, mark) if mark else sheet


def _across(frames: Sequence[tuple[int, Picture]]) -> Picture:
    from PIL import Image

    numbered = [_numbered(picture, number) for number, picture in frames]
    width = sum(picture.width + GAP_PX for picture in numbered) - GAP_PX
    strip = Image.new("RGB", (width, max(picture.height for picture in numbered)), PAPER)
    left = 0
    for picture in numbered:
        strip.paste(picture, (left, 0))
        left += picture.width + GAP_PX
    return strip


def _stack(parts: Sequence[Picture]) -> Picture:
    from PIL import Image

    height = sum(part.height + GAP_PX for part in parts) + GAP_PX
    sheet = Image.new("RGB", (max(part.width for part in parts) + 2 * GAP_PX, height), PAPER)
    top = GAP_PX
    for part in parts:
        sheet.paste(part, (GAP_PX, top))
        top += part.height + GAP_PX
    return sheet


def _numbered(picture: Picture, number: int) -> Picture:
    """The frame's number on a plate in its corner."""
    from PIL import ImageDraw

    font = _font(max(8, min(12, picture.width // 12)))
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    _, _, right, bottom = draw.textbbox((4, 3), str(number), font=font)
    draw.rectangle((0, 0, right + 4, bottom + 3), fill=PLATE)
    draw.text((4, 3), str(number), fill=PAPER, font=font)
    return copy


def _line(words: str, width: int) -> Picture:
    from PIL import Image, ImageDraw

    line = Image.new("RGB", (max(1, width), LINE_PX), PAPER)
    ImageDraw.Draw(line).text((0, LINE_PX - 3), words, fill=INK, font=_font(13), anchor="ls")
    return line


def _empty(words: str, width: int) -> Picture:
    from PIL import Image, ImageDraw

    box = Image.new("RGB", (width, 2 * LINE_PX), NOTHING)
    ImageDraw.Draw(box).text((width // 2, LINE_PX), words, fill=INK, font=_font(11), anchor="mm")
    return box


@cache
def _font(size_px: int) -> FreeTypeFont:
    """The plots' font, which comes with matplotlib."""
    from matplotlib.font_manager import FontProperties, findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans")), size_px)
