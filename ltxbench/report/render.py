"""The page's values through the templates, to GitHub-flavoured Markdown."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from ltxbench.report import escape
from ltxbench.report.page import Page


def render(page: Page) -> str:
    """Whatever a template prints is escaped, unless a filter has made it safe (see escape)."""
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
        unbroken=escape.unbroken,
    )
    return str(environment.get_template("page.md.j2").render(page=page)).rstrip("\n") + "\n"
