"""The report's folder: README.md, plots/, frames/, and run/, a verbatim copy of the run it shows."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ltxbench.report import results as stored
from ltxbench.report import stills
from ltxbench.report.build import build
from ltxbench.report.page import Media
from ltxbench.report.plots import draw_all
from ltxbench.report.render import render
from ltxbench.run import store
from ltxbench.run.files import make_folder, resource_errors, write_atomically
from ltxbench.run.store import RunFolder

PAGE = "README.md"
RUN = "run"
PLOTS = "plots"
FRAMES = "frames"
WRITTEN = ".written-by-ltxbench"
"""Lists what the last report wrote, one path a line: the next one removes those files and no others."""


def write(run: RunFolder, destination: Path) -> Path:
    """Makes the page of a stored run and returns its path. Runs nothing; the same run gives the same bytes.

    Everything is rendered beside `destination` first: when that fails, the page that was there stays as it was.
    Raises ResultError when the run cannot be read, ResourceError when the folder cannot be written.
    """
    make_folder(destination)
    with resource_errors(destination):
        staging = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".tmp", dir=destination.parent))
        try:
            _render(run, staging)
            store.publish(run.path, destination / RUN)
            _replace(staging, destination)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return destination / PAGE


def _render(run: RunFolder, folder: Path) -> None:
    results = stored.read(run)
    media: dict[str, Media] = {}
    for record in results.records:
        name = record.case.name
        video = run.video_path(name)
        if video is not None:
            link = f"{RUN}/{video.relative_to(run.path).as_posix()}"
            wanted, mark = run.record.matrix.stills, stills.mark_of(run.record.weights)
            media[name] = stills.extract(video, link, name, wanted, folder / FRAMES, mark=mark)
    plots = draw_all(results, folder / PLOTS)
    (folder / PAGE).write_text(render(build(results, media, plots)), encoding="utf-8", newline="\n")


def _replace(staging: Path, destination: Path) -> None:
    """Moves the files in, the page last, then removes what only the previous report had."""
    fresh = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    previous = _previous(destination)
    # Named before they are there: whatever an interruption leaves behind is still known as ours.
    _note(destination, {*fresh, *previous})
    for name in sorted(fresh, key=lambda name: name == PAGE):
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target)
    for name in previous - set(fresh):
        (destination / name).unlink(missing_ok=True)
    _note(destination, set(fresh))


def _note(destination: Path, names: set[str]) -> None:
    write_atomically(destination / WRITTEN, "".join(f"{name}\n" for name in sorted(names)).encode())


def _previous(destination: Path) -> set[str]:
    """Files of the previous report, as far as they are the kind that a report writes."""
    try:
        names = (destination / WRITTEN).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {name for name in names if _is_ours(Path(name))}


def _is_ours(name: Path) -> bool:
    """The list may have been edited: nothing outside these two folders is ever removed."""
    return len(name.parts) == 2 and name.parts[0] in (PLOTS, FRAMES) and name.parts[1] not in ("..", ".")
