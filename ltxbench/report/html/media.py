"""What a page plays: each case's video, and a small picture that stands for it until it is loaded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from ltxbench.errors import ResultError
from ltxbench.report.manifest import Sources
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder
from ltxbench.run.video import Frames, read_frame

RUN = "run"
"""The copy of the run beside the page."""
POSTERS = "posters"
POSTER_WIDTH_PX = 480
POSTER_QUALITY = 72


@dataclass(frozen=True)
class Clip:
    """Paths are relative to the page."""

    src: str
    poster: str
    width: int
    height: int
    frames: int
    fps: int
    size_bytes: int


def clip(
    run: RunFolder,
    record: CaseRecord,
    folder: Path,
    frame: int,
    *,
    src: str | None = None,
    poster: str | None = None,
    sources: Sources | None = None,
    draw: bool = True,
) -> Clip | None:
    """The case's video, its poster written below `folder`; None without a video, or for one that cannot be read.

    frame: the one that the poster shows; the video's last where it is shorter
    src, poster: their paths relative to the page; the video's place in run/ and posters/ unless given
    sources: is told what the poster was made from
    draw: without, no poster is written
    """
    path = run.video_path(record.case.name)
    video = record.video
    if path is None or video is None:
        return None
    place = poster or f"{POSTERS}/{record.case.name}.webp"
    shown = min(frame, video.frames - 1)
    try:
        pixels = read_frame(path, shown)
    except (ResultError, IndexError):
        return None
    if sources is not None:
        sources.add(place, path.read_bytes(), shown, POSTER_WIDTH_PX, POSTER_QUALITY)
    if draw:
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_poster(pixels))
    return Clip(
        src=src or f"{RUN}/{path.relative_to(run.path).as_posix()}",
        poster=place,
        width=video.width,
        height=video.height,
        frames=video.frames,
        fps=video.fps,
        size_bytes=video.size_bytes,
    )


def _poster(pixels: Frames) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    if picture.width > POSTER_WIDTH_PX:
        height = max(1, round(picture.height * POSTER_WIDTH_PX / picture.width))
        picture = picture.resize((POSTER_WIDTH_PX, height), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    picture.save(target, format="WEBP", quality=POSTER_QUALITY, method=4)
    return target.getvalue()
