"""Documents with their generated parts as their sources give them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ltxbench.errors import UsageError
from ltxbench.regular import read_regular
from ltxbench.report.documents import kinds
from ltxbench.report.documents.blocks import find, replaced
from ltxbench.report.stale import changed_lines
from ltxbench.run.files import write_atomically

LIMIT_BYTES = 16 << 20


@dataclass(frozen=True)
class Refreshed:
    path: Path
    blocks: int
    old: str
    new: str

    @property
    def stale(self) -> bool:
        return self.old != self.new

    @property
    def lines(self) -> tuple[str, ...]:
        """The first lines that differ."""
        return changed_lines(self.old.encode(), self.new.encode())


def refreshed(paths: Sequence[Path], reports: Path) -> tuple[Refreshed, ...]:
    """Every document with new parts; writes nothing.

    Raises UsageError for a document or a block that cannot be read, ResultError for a run, each with file and line.
    """
    sources = kinds.Sources(reports)
    return tuple(_refreshed(path, sources) for path in paths)


def write(document: Refreshed) -> None:
    """Raises ResourceError."""
    write_atomically(document.path, document.new.encode())


def _refreshed(path: Path, sources: kinds.Sources) -> Refreshed:
    try:
        old = read_regular(path, LIMIT_BYTES, follow=True).decode()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from None
    blocks = find(old, path)
    return Refreshed(path, len(blocks), old, replaced(old, blocks, lambda block: kinds.generate(block, path, sources)))
