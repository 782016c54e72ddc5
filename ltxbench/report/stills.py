"""Single frames of the videos, as PNG. One made with synthetic weights carries a strip that says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.errors import ResultError
from ltxbench.report.page import Media, Still
from ltxbench.run.records import Weights
from ltxbench.run.video import read_frame

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP_SHARE = 0.075
"""Height of the strip against the picture's width: legible at the width that the page gives it."""
STRIP, INK = (32, 32, 32), (255, 255, 255)


def mark_of(weights: Weights) -> str | None:
    """What is written below every still; None where the pictures mean something."""
    return f"{Path(weights.kind).name} weights: no meaning" if weights.synthetic else None


def extract(
    video: Path, link: str, name: str, frames: Sequence[int], folder: Path, *, mark: str | None = None
) -> Media:
    """Writes the wanted frames as `folder/<name>_frame_<n>.png`; a video that is missing or torn is told, not raised.

    link: the video's path as the page writes it
    mark: words for a strip below the picture, which itself stays as it is
    """
    from PIL import Image

    if not video.is_file():
        return Media(problem="The video file is not in the run's folder.")
    folder.mkdir(parents=True, exist_ok=True)
    stills: list[Still] = []
    absent: list[str] = []
    for frame in sorted(set(frames)):
        try:
            pixels = read_frame(video, frame)
        except IndexError:
            absent.append(str(frame))
            continue
        except ResultError:
            return Media(link, problem="The video file cannot be read.")
        file = folder / f"{name}_frame_{frame}.png"
        picture = Image.fromarray(pixels)
        (marked(picture, mark) if mark else picture).save(file, format="PNG")
        stills.append(Still(frame, f"{folder.name}/{file.name}"))
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
