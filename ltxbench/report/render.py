"""The page's values through the templates, to GitHub-flavoured Markdown."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ltxbench.report import escape
from ltxbench.report.escape import Safe
from ltxbench.report.page import Cell, Page


def render(page: Page, *, base_url: str | None = None) -> str:
    """Whatever a template prints is escaped, unless a filter has made it safe (see escape).

    base_url: put before the paths of videos, for hosts that serve them from elsewhere
    """

    def video(path: str) -> Safe:
        return escape.path(path) if base_url is None else Safe(escape.text(base_url) + escape.path(path))

    environment = Environment(
        loader=PackageLoader("ltxbench.report"),
        autoescape=True,
        finalize=escape.text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        author=escape.author,
        code=escape.code,
        fence=escape.fence,
        figure=figure,
        paragraphs=escape.paragraphs,
        path=escape.path,
        unbroken=escape.unbroken,
        video=video,
    )
    return str(environment.get_template("page.md.j2").render(page=page)).rstrip("\n") + "\n"


def figure(cell: Cell, numeric: bool) -> Safe:
    """A cell of a table. Not a macro: a page of a thousand cases has 75,000 of them."""
    words = escape.unbroken(cell.text) if numeric else escape.text(cell.text)
    if cell.anchor:
        words = Safe(f'<a href="#{escape.text(cell.anchor)}">{words}</a>')
    elif cell.bold:
        words = Safe(f"**{words}**")
    return Safe(f"{words} {escape.text(cell.mark)}") if cell.mark else words
