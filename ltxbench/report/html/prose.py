"""The matrix author's Markdown as HTML: formatting, tables and links, no HTML of its own and nothing that is loaded."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt

from ltxbench.report.escape import Safe, visible


def html(markdown: str) -> Safe:
    """Headings are moved below the page's own (h2)."""
    return Safe(_parser().render(visible(markdown)))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.core.ruler.push("below_the_page", _move_headings)
    return parser


def _move_headings(state: object) -> None:
    for token in getattr(state, "tokens", ()):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
