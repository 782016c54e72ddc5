"""Single frames of the videos, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltxbench.errors import ResultError
from ltxbench.report.page import Media, Still
from ltxbench.run.video import read_frame


def extract(video: Path, link: str, name: str, frames: Sequence[int], folder: Path) -> Media:
    """Writes the wanted frames as `folder/<name>_frame_<n>.png`; a video that is missing or torn is told, not raised.

    link: the video's path as the page writes it
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
        Image.fromarray(pixels).save(file, format="PNG")
        stills.append(Still(frame, f"{folder.name}/{file.name}"))
    problem = f"The video has no frame {', '.join(absent)}." if absent else None
    return Media(link, tuple(stills), problem)
