"""Everything on the page that is made from the videos: stills, previews and contact sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ltxbench.errors import ResultError
from ltxbench.report import manifest, previews, sheets, stills
from ltxbench.report.decode import decode
from ltxbench.report.figures import outcome_title
from ltxbench.report.manifest import Sources
from ltxbench.report.page import Media
from ltxbench.report.plots.style import MANY, label
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder

if TYPE_CHECKING:
    from ltxbench.report.decode import Decoded

ALL_CASES = "contact-sheet.png"
VERSION = 1
"""Raised when what a picture shows of the same video changes."""


@dataclass(frozen=True)
class Shown:
    media: Mapping[str, Media]
    """By the case's name; a case without a video has none."""
    sheet: str | None
    """The contact sheet over all cases."""


def take(run: RunFolder, results: Results, folder: Path, run_link: str, sources: Sources, *, draw: bool) -> Shown:
    """Writes the pictures into `folder`; without `draw` they are only named, with what they are made from.

    A video that is missing or torn is told in its Media, not raised. Previews and sheets are made up to MANY cases.
    """
    wanted, mark = run.record.matrix.stills, stills.mark_of(run.record.weights)
    small = len(results.records) <= MANY
    media: dict[str, Media] = {}
    rows: list[sheets.Row] = []
    digests: list[str] = []
    for record in results.records:
        video = run.video_path(record.case.name)
        if video is None:
            rows.append(_empty_row(record))
            continue
        link = f"{run_link}/{video.relative_to(run.path).as_posix()}"
        try:
            decoded = decode(video, set(wanted))
        except ResultError:
            media[record.case.name] = Media(link, problem="The video file cannot be read.")
            rows.append(_empty_row(record))
            continue
        of = manifest.digest(VERSION, manifest.file_sha256(video), mark)
        digests.append(of)
        name = record.case.name
        made = stills.save(decoded, link, name, wanted, folder, mark=mark, draw=draw)
        for still in made.stills:
            sources.add(still.path, of, still.frame)
        if small:
            made = _moving(decoded, made, record, folder, previews.budget_bytes(len(results.records)), mark, draw=draw)
            for path in (made.preview, made.sheet):
                if path is not None:
                    sources.add(path, of, path)
            rows.append(sheets.Row(_label(record), sheets.pick(decoded, len(results.records))))
        media[name] = made
    return Shown(media, _all_cases(rows, folder, mark, sources, digests, draw=draw) if small else None)


def _moving(
    decoded: Decoded, made: Media, record: CaseRecord, folder: Path, limit_bytes: int, mark: str | None, *, draw: bool
) -> Media:
    name = record.case.name
    if not decoded.thumbnails:
        return made
    preview, sheet = folder / f"{name}.webp", folder / f"{name}_sheet.png"
    if draw:
        folder.mkdir(parents=True, exist_ok=True)
        fps = record.video.fps if record.video else record.case.fps
        preview.write_bytes(previews.preview(decoded, fps, limit_bytes, mark))
        sheets.of_case(decoded, mark).save(sheet, format="PNG", optimize=True)
    return replace(made, preview=f"{folder.name}/{preview.name}", sheet=f"{folder.name}/{sheet.name}")


def _all_cases(
    rows: list[sheets.Row], folder: Path, mark: str | None, sources: Sources, digests: list[str], *, draw: bool
) -> str | None:
    if len(rows) < 2 or not any(row.frames for row in rows):
        return None
    path = f"{folder.name}/{ALL_CASES}"
    sources.add(path, *digests, *(row.label + row.nothing for row in rows))
    if draw and (sheet := sheets.of_all(rows, mark)) is not None:
        folder.mkdir(parents=True, exist_ok=True)
        sheet.save(folder / ALL_CASES, format="PNG", optimize=True)
    return path


def _empty_row(record: CaseRecord) -> sheets.Row:
    words = "no video" if record.failure is None else f"no video: {outcome_title(record)}"
    return sheets.Row(_label(record), (), words)


def _label(record: CaseRecord) -> str:
    return label(record.number, record.case.title, 60)
