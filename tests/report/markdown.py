"""What a reader's Markdown program sees in a page."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

_CELL = re.compile(r"(?<!\\)\|")


def tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page)


def html(page: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(page))


class Elements(HTMLParser):
    """What elements a browser would see."""

    def __init__(self, rendered: str) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.targets: set[str] = set()
        self.feed(rendered)
        self.close()

    @property
    def tags(self) -> set[str]:
        return set(self.count)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.targets |= {value or "" for name, value in attrs if name in ("href", "src")}


def links(page: str) -> set[str]:
    """Every relative target and source, anchors apart."""
    found = re.findall(r'(?:href|src)="([^"]+)"', html(page))
    return {unquote(link) for link in found if not link.startswith(("#", "http:", "https:"))}


def anchors(page: str) -> tuple[set[str], set[str]]:
    """(linked to, defined): headings define their GitHub slug, `id` defines itself."""
    rendered = html(page)
    headings = re.findall(r"<h\d>(.*?)</h\d>", rendered)
    slugs = {re.sub(r"[^\w\- ]", "", re.sub("<[^>]*>", "", text).lower()).replace(" ", "-") for text in headings}
    return set(re.findall(r'href="#([^"]+)"', rendered)), slugs | set(re.findall(r'id="([^"]+)"', rendered))


def tables(page: str) -> list[list[int]]:
    """Of every pipe table outside fences, the number of cells in each line."""
    found: list[list[int]] = []
    fenced = previous = False
    for line in page.splitlines():
        fenced ^= line.startswith("```")
        row = line.startswith("|") and not fenced
        if row and not previous:
            found.append([])
        if row:
            found[-1].append(len(_CELL.findall(line)) - 1)
        previous = row
    return found
