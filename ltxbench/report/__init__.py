"""The report: a page of Markdown, stills and plots made from a stored run. Imports no MLX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltxbench.run.store import RunFolder

__all__ = ["write"]


def write(run: RunFolder, destination: Path) -> Path:
    """Writes the page of a stored run into `destination` and returns its path; see report.folder."""
    from ltxbench.report.folder import write as write_folder

    return write_folder(run, destination)
