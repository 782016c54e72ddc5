"""Single frames of the videos, as PNG. One made with synthetic weights carries a strip that says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.report.page import Media, Still
from ltxbench.run.records import Weights

if TYPE_CHECKING:
    from PIL.Image import Image

    from ltxbench.report.decode import Decoded

STRIP_SHARE = 0.075
"""Height of the strip against the picture's width: legible at the width that the page gives it."""
STRIP, INK = (32, 32, 32), (255, 255, 255)


def mark_of(weights: Weights) -> str | None:
    """What is written below every still; None where the pictures mean something."""
    return f"{Path(weights.kind).name} weights: no meaning" if weights.synthetic else None


def save(
    decoded: Decoded, link: str, name: str, frames: Sequence[int], folder: Path, *, mark: str | None, draw: bool = True
) -> Media:
    """Writes the wanted frames as `folder/<name>_frame_<n>.png`; those that the video does not have are told.

    link: the video's path as the page writes it
    mark: words for a strip below the picture, which itself stays as it is
    draw: without, the files are only named
    """
    found = [frame for frame in sorted(set(frames)) if frame in decoded.wanted]
    stills = [Still(frame, f"{folder.name}/{name}_frame_{frame}.png") for frame in found]
    if draw and found:
        folder.mkdir(parents=True, exist_ok=True)
        for frame, still in zip(found, stills, strict=True):
            picture = decoded.wanted[frame]
            (marked(picture, mark) if mark else picture).save(folder.parent / still.path, format="PNG")
    absent = [str(frame) for frame in sorted(set(frames)) if frame not in decoded.wanted]
    problem = f"The video has no frame {', '.join(absent)}." if absent else None
    return Media(link, tuple(stills), problem)


def marked(picture: Image, mark: str) -> Image:
    """The picture with a strip below that holds the words, as large as they fit."""
    from PIL import ImageDraw, ImageFont

    width, height = picture.size
    strip = max(10, round(STRIP_SHARE * width))
    # Cropping beyond an edge adds black there.
    canvas = picture.crop((0, 0, width, height + strip))
    canvas.paste(STRIP, (0, height, width, height + strip))
    draw = ImageDraw.Draw(canvas)
    size_px = 0.7 * strip
    length = draw.textlength(mark, font=ImageFont.load_default(size_px))
    font = ImageFont.load_default(size_px * min(1, 0.96 * width / length))
    draw.text((width / 2, height + strip / 2), mark, fill=INK, font=font, anchor="mm")
    return canvas
