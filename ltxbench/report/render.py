"""The page's values through the templates, to GitHub-flavoured Markdown."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ltxbench.report import escape
from ltxbench.report.escape import Safe
from ltxbench.report.page import Cell, Page, Table


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
        paragraphs=escape.paragraphs,
        path=escape.path,
        table=table,
        unbroken=escape.unbroken,
        video=video,
    )
    return str(environment.get_template("page.md.j2").render(page=page)).rstrip("\n") + "\n"


def table(table: Table) -> Safe:
    """Not a macro: the tables of a page of a thousand cases have 90,000 cells."""
    numeric = [column.numeric for column in table.columns]
    lines = ["|" + "".join(f" {escape.text(column.title)} |" for column in table.columns)]
    lines.append("|" + "".join(" ---: |" if right else " --- |" for right in numeric))
    lines += ["|" + "".join(f" {_cell(*pair)} |" for pair in zip(row, numeric, strict=True)) for row in table.rows]
    return Safe("\n".join(lines) + "\n")


def _cell(cell: Cell, numeric: bool) -> str:
    words = escape.unbroken(cell.text) if numeric else escape.text(cell.text)
    if cell.anchor:
        words = Safe(f'<a href="#{escape.text(cell.anchor)}">{words}</a>')
    elif cell.bold:
        words = Safe(f"**{words}**")
    return f"{words} {escape.text(cell.mark)}" if cell.mark else words
