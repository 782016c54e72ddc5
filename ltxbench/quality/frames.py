"""Frames from files: videos, stills, and what a run keeps of a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ltxbench.errors import ResultError
from ltxbench.quality.luma import Frames
from ltxbench.run.lossless import read_lossless
from ltxbench.run.store import RunFolder
from ltxbench.run.video import frame_hashes

STILLS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
LOSSLESS = "lossless"
COMPRESSED = "compressed"


@dataclass(frozen=True)
class CaseFrames:
    frames: Frames
    source: str
    """LOSSLESS or COMPRESSED."""


def read(path: Path) -> Frames:
    """A video's frames, or a still's one, as uint8 RGB [F,H,W,3]. Raises ResultError."""
    return _still(path) if path.suffix.lower() in STILLS else _video(path)


def of_case(run: RunFolder, name: str) -> CaseFrames | None:
    """What is left of a case's frames, without loss where that was kept; None for a case without a video.

    Raises ResultError for files that are torn, and for lossless frames that are not the recorded ones.
    """
    lossless = run.lossless_path(name)
    if lossless is not None:
        decoded = list(read_lossless(lossless))
        if not decoded:
            raise ResultError(f"{lossless}: a video without frames")
        frames = np.stack(decoded)
        recorded = _recorded_hashes(run, name)
        if recorded and frame_hashes(frames) != recorded:
            raise ResultError(f"{lossless}: does not hold the frames that were recorded for {name!r}")
        return CaseFrames(frames, LOSSLESS)
    video = run.video_path(name)
    return CaseFrames(_video(video), COMPRESSED) if video is not None else None


def _recorded_hashes(run: RunFolder, name: str) -> tuple[str, ...]:
    video = next((case.video for case in run.cases if case.case.name == name), None)
    return video.frame_sha256 if video is not None else ()


def _still(path: Path) -> Frames:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), np.uint8)[None]
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ResultError(f"{path}: cannot be read as an image ({error})") from None


def _video(path: Path) -> Frames:
    import av
    from av.error import FFmpegError

    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise ResultError(f"{path}: no video in it")
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(container.streams.video[0])]
    except (FFmpegError, OSError) as error:
        raise ResultError(f"{path}: cannot be read as a video ({error})") from error
    if not frames:
        raise ResultError(f"{path}: a video without frames")
    return np.stack(frames).astype(np.uint8, copy=False)
