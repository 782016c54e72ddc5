"""The interactive page: index.html and what it needs, in a folder that works without a server or a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ltxbench.report.badges import Finding
    from ltxbench.report.manifest import Sources
    from ltxbench.report.page import Page
    from ltxbench.report.results import Results
    from ltxbench.run.store import RunFolder
    from ltxbench.trust.comparison import CaseComparison

__all__ = ["write_comparison", "write_page"]


def write_page(
    run: RunFolder,
    results: Results,
    destination: Path,
    *,
    name: str | None = None,
    findings: Mapping[str, Sequence[Finding]] | None = None,
    page: Page | None = None,
    sources: Sources | None = None,
    draw: bool = True,
) -> Path:
    """Writes index.html, assets/ and posters/ into the report's folder and returns the page's path.

    Videos are referred to as run/cases/..., the copy of the run that lies beside the page. The same results give the
    same bytes.

    name: of the page's folder, as its commands write it; the matrix's unless given
    findings: what stands out in the pictures, by the case's name; found here unless given
    page: the values of the Markdown page, where they have been built already
    sources: is told what each poster was made from
    draw: without, posters are left out
    Raises ResultError when the run cannot be read, OSError when the folder cannot be written.
    """
    from ltxbench.report.html.folder import write_page as write

    return write(run, results, destination, name=name, findings=findings, page=page, sources=sources, draw=draw)


def write_comparison(
    old: RunFolder,
    new: RunFolder,
    comparisons: Sequence[CaseComparison],
    destination: Path,
    *,
    threshold: float,
) -> Path:
    """Writes a page that sets two runs beside each other, in a folder that stands alone, and returns its path.

    comparisons: of the cases of both runs (trust.comparison.compare_runs)
    threshold: the smallest change that matters, as they were made with
    Raises ResultError when a run cannot be read, ResourceError when the folder cannot be written.
    """
    from ltxbench.report.html.comparison import write_comparison as write

    return write(old, new, comparisons, destination, threshold=threshold)
