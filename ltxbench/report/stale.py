"""Whether a committed page is what its stored run gives: the same text, the same data behind plots and pictures."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ltxbench.report import manifest
from ltxbench.report.folder import RUN, render_into
from ltxbench.report.manifest import Manifest
from ltxbench.run import store

SHOWN_LINES = 6
LINE_LENGTH = 160
PICTURES = (".avif", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")


@dataclass(frozen=True)
class Difference:
    file: Path
    what: str
    """`is missing`, `is not what the stored results give`, ..."""
    lines: tuple[str, ...] = ()
    """The first that differ, marked `-` as they are and `+` as they should be."""

    def __str__(self) -> str:
        return "\n".join((f"{self.file}: {self.what}", *(f"  {line}" for line in self.lines)))


def differences(page: Path) -> tuple[Difference, ...]:
    """Renders the page in `page` again, from the run beside it, into a temporary folder, and compares.

    Pixels are not compared, since they change with the versions of matplotlib, Pillow and FFmpeg: a picture is stale
    when what it is made from has changed, and when it is not the file that was written.
    Raises ResultError when the run cannot be read.
    """
    run = store.load(page / RUN)
    written = manifest.read(page)
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        sources = render_into(run, fresh, page.name, written.options, draw=False)
        made = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
        texts = [name for name in made if Path(name).suffix not in PICTURES]
        return (
            *(found for name in texts if (found := _text(page / name, fresh / name)) is not None),
            *_pictures(page, written, {**dict.fromkeys(set(made) - set(texts)), **sources.of}),
            *_surplus(page, written, {*made, *sources.of}),
        )


def _text(committed: Path, fresh: Path) -> Difference | None:
    if not committed.is_file():
        return Difference(committed, "is missing")
    old, new = committed.read_bytes(), fresh.read_bytes()
    if old == new:
        return None
    return Difference(committed, "is not what the stored results give", changed_lines(old, new))


def changed_lines(old: bytes, new: bytes) -> tuple[str, ...]:
    """The first lines that differ, with their numbers."""
    before, after = (data.decode(errors="replace").splitlines() for data in (old, new))
    if before == after:
        return ("only line ends differ",)
    shown: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False) if len(before) < 5_000 else None
    if matcher is None:  # quadratic for long files: the first line that differs is enough
        first = next(
            (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
        )
        return _marked(before[first : first + 1], after[first : first + 1], first)
    for kind, start, end, other, other_end in matcher.get_opcodes():
        if kind != "equal":
            shown += _marked(before[start:end], after[other:other_end], start)
        if len(shown) >= SHOWN_LINES:
            break
    return tuple(shown[:SHOWN_LINES])


def _marked(before: list[str], after: list[str], start: int) -> tuple[str, ...]:
    pairs = [("-", line, start + 1 + place) for place, line in enumerate(before[:SHOWN_LINES])]
    pairs += [("+", line, start + 1 + place) for place, line in enumerate(after[:SHOWN_LINES])]
    return tuple(f"line {number} {sign} {_short(line)}" for sign, line, number in pairs)


def _short(line: str) -> str:
    return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…"


def _pictures(page: Path, written: Manifest, sources: Mapping[str, str | None]) -> Iterator[Difference]:
    """sources: by the picture's path; None where only the file itself can be checked."""
    for name, source_sha256 in sorted(sources.items()):
        file, entry = page / name, written.files.get(name)
        if not file.is_file():
            yield Difference(file, "is missing")
        elif entry is None or not entry.sha256:
            yield Difference(file, "was written by a report that did not say what it is made from")
        elif entry.source_sha256 != source_sha256:
            yield Difference(file, "shows other data than the stored results")
        elif entry.sha256 != manifest.file_sha256(file):
            yield Difference(file, "is not the file that the report wrote")


def _surplus(page: Path, written: Manifest, fresh: set[str]) -> Iterator[Difference]:
    for name in sorted(set(written.files) - fresh):
        if (page / name).exists():
            yield Difference(page / name, "belongs to an earlier page")
