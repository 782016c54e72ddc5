"""The report's folder: README.md, index.html, what they show, and run/, a verbatim copy of the run."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ltxbench.report import manifest, pictures
from ltxbench.report import results as stored
from ltxbench.report.build import build
from ltxbench.report.html import write_page
from ltxbench.report.manifest import Manifest, Options, Sources
from ltxbench.report.plots import draw_all
from ltxbench.report.render import render
from ltxbench.run import store
from ltxbench.run.files import make_folder, resource_errors
from ltxbench.run.store import RunFolder

PAGE = "README.md"
RUN = "run"
PLOTS = "plots"
FRAMES = "frames"


def write(run: RunFolder, destination: Path, options: Options | None = None) -> Path:
    """Makes the page of a stored run and returns its path. Runs nothing; the same run gives the same bytes.

    options: those of the page that is there unless given
    Everything is rendered beside `destination` first: when that fails, the page that was there stays as it was.
    A second writer of the same page waits for the first.
    Raises ResultError when the run cannot be read, ResourceError when the folder cannot be written.
    """
    make_folder(destination)
    with _alone(destination), _staging(destination) as staging:
        previous = manifest.read(destination)
        kept = previous.options if options is None else options
        sources = render_into(run, staging, destination.name, kept)
        store.publish(run.path, destination / RUN)
        _replace(staging, destination, previous, Manifest(kept), sources)
    return destination / PAGE


def render_into(run: RunFolder, folder: Path, name: str, options: Options, *, draw: bool = True) -> Sources:
    """The page and all it shows, but the run itself.

    name: of the folder it is for, as the commands on the page write it
    draw: without, pictures are left out, and only what they are made from is collected
    """
    results = stored.read(run)
    sources = Sources()
    shown = pictures.take(run, results, folder / FRAMES, RUN, sources, draw=draw)
    plots = draw_all(results, folder / PLOTS, sources, draw=draw)
    with _uncollected():
        page = build(results, shown.media, plots, folder=name)
        interactive = write_page(run, results, folder, name=name, page=page, sources=sources, draw=draw)
        page = replace(page, contact_sheet=shown.sheet, interactive=interactive.relative_to(folder).as_posix())
        text = render(page, base_url=options.base_url)
    (folder / PAGE).write_text(text, encoding="utf-8", newline="\n")
    return sources


@contextmanager
def _uncollected() -> Iterator[None]:
    """A page's values live until it is written: searching them for garbage takes a seventh of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _alone(destination: Path) -> Iterator[None]:
    """Holds the page's folder, so that whatever an earlier writer left unfinished is nobody's, and goes."""
    with resource_errors(destination):
        descriptor = os.open(destination, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: who else writes cannot be told, so nothing is cleared
            yield
            return
        _remove(destination.parent, rf"\.{re.escape(destination.name)}\.[^.]+\.tmp")
        yield
        _remove(destination, rf"\.{RUN}\.(new|old)-[0-9a-f]+")  # once there is a run again
    finally:
        os.close(descriptor)


def _remove(folder: Path, pattern: str) -> None:
    for entry in folder.iterdir():
        if re.fullmatch(pattern, entry.name) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


@contextmanager
def _staging(destination: Path) -> Iterator[Path]:
    with resource_errors(destination):
        folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".tmp", dir=destination.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _replace(staging: Path, destination: Path, previous: Manifest, fresh: Manifest, sources: Sources) -> None:
    """Moves the files in, the page last, then removes what only the previous report had."""
    names = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    files = {name: manifest.entry(staging / name, name, sources) for name in names}
    # Named before they are there: whatever an interruption leaves behind is still known as ours.
    manifest.write(destination, replace(fresh, files={**previous.files, **files}))
    for name in sorted(names, key=lambda name: name == PAGE):
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target)
    for name in set(previous.files) - set(files):
        (destination / name).unlink(missing_ok=True)
    manifest.write(destination, replace(fresh, files=files))
