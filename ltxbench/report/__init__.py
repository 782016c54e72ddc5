"""The report: a page of Markdown, stills and plots made from a stored run. Imports no MLX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltxbench.report.manifest import Options
    from ltxbench.run.store import RunFolder

__all__ = ["write"]


def write(run: RunFolder, destination: Path, options: Options | None = None) -> Path:
    """Writes the page of a stored run into `destination` and returns its path; see report.folder.

    destination: its name need not be the matrix's; the commands on the page follow it
    options: those of the page that is there unless given
    """
    from ltxbench.report.folder import write as write_folder

    return write_folder(run, destination, options)
