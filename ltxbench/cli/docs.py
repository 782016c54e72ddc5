"""`ltxbench docs`: the generated parts of Markdown documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def docs(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Markdown documents. [default: README.md and docs/**/*.md]")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say what is stale.")] = False,
    reports: Annotated[Path, typer.Option(help="Where the pages are that matrix= names.")] = Path("reports"),
) -> None:
    """Refresh what stands between `<!-- ltxbench:KIND ... -->` and `<!-- /ltxbench -->`; docs/reports.md has the kinds.

    Exit codes: 0 fine, 2 a block cannot be read, 5 a document cannot be written, 10 a run cannot be read, 11 --check
    found stale blocks.
    """
    from ltxbench.errors import Stale, UsageError
    from ltxbench.report.documents.refresh import refreshed, write

    chosen = files or [path for path in (Path("README.md"), *sorted(Path("docs").rglob("*.md"))) if path.is_file()]
    if not chosen:
        raise UsageError("there is no document here", hint="Name the files, or run this where README.md is.")
    documents = refreshed(chosen, reports)
    stale = [document for document in documents if document.stale]
    for document in stale:
        if check:
            typer.echo("\n".join((f"{document.path}: stale", *(f"  {line}" for line in document.lines))))
        else:
            write(document)
            typer.echo(f"{document.path}: refreshed")
    if check and stale:
        names = " ".join(str(document.path) for document in stale)
        raise Stale(
            f"{len(stale)} of {len(documents)} documents are stale", hint=f"`ltxbench docs {names}` refreshes them."
        )
    blocks = sum(document.blocks for document in documents)
    typer.echo(f"{blocks} generated parts in {len(documents)} documents: all as their sources give them")
