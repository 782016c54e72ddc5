"""A Markdown page with a summary table and a section a case: command line and profile in fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ltxbench.importing.profile import Profile, parse_profile
from ltxbench.importing.settings import PROGRAM, Settings, find_command, parse_command

_NUMBERED = re.compile(r"^\s*(?:case\s*)?#?\s*(\d{1,3})\s*[.):]\s*(\S.*)$", re.IGNORECASE)

COLUMNS = {
    "number": r"#|no\.?|nr\.?",
    "title": r"configuration|config|case|name|variant",
    "model": r"model",
    "steps": r"steps?",
    "guidance": r"cfg|guidance.*",
    "resolution": r"resolution|size",
    "time": r"time|total time|total|duration",
    "peak memory": r"peak.*",
    "mean memory": r"mean.*|average ram|avg.*ram",
}
"""Columns of a summary, by the words of their header."""


@dataclass(frozen=True)
class Table:
    section: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Block:
    """A paragraph, a list item or a quotation, as plain text."""

    section: str
    text: str
    code: tuple[str, ...]
    """What it holds in backticks."""


@dataclass
class CaseSection:
    number: int
    title: str
    command: str | None = None
    settings: Settings = field(default_factory=Settings)
    profile: Profile = field(default_factory=Profile)
    summary: dict[str, str] = field(default_factory=dict)
    """Its row of the summary table, by the names of COLUMNS."""


@dataclass
class Page:
    title: str | None
    prompt: str | None
    hardware: str | None
    common: Settings
    """Options that the page states for all cases."""
    cases: list[CaseSection]
    tables: list[Table]
    blocks: list[Block]


def parse_page(text: str) -> Page:
    """Never raises; a page of another kind has no cases."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks, tables = list(_blocks(tokens)), list(_tables(tokens))
    page = Page(
        title=next((_plain(tokens[i + 1]) for i, token in enumerate(tokens) if token.type == "heading_open"), None),
        prompt=_said(blocks, r"Prompt\s*:\s*[\"“«]?(.+?)[\"”»]?\s*$"),
        hardware=_said(blocks, r"Hardware\s*:\s*(.+?)(?:\.\s|\.?$)"),
        common=_common(blocks),
        cases=_sections(tokens),
        tables=tables,
        blocks=blocks,
    )
    _add_summary(page)
    return page


def _plain(token: Token) -> str:
    words = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            words.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            words.append(" ")
    return "".join(words).strip()


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    section = ""
    for token, before in zip(tokens[1:], tokens, strict=False):
        if token.type != "inline":
            continue
        if before.type == "heading_open":
            section = _plain(token)
        elif before.type == "paragraph_open":
            code = tuple(child.content for child in token.children or () if child.type == "code_inline")
            yield Block(section, _plain(token), code)


def _tables(tokens: Sequence[Token]) -> Iterator[Table]:
    section = ""
    rows: list[tuple[str, ...]] = []
    row: list[str] = []
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            section = _plain(tokens[index + 1])
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            row = []
        elif token.type in ("th_open", "td_open"):
            row.append(_plain(tokens[index + 1]))
        elif token.type == "tr_close":
            rows.append(tuple(row))
        elif token.type == "table_close" and rows:
            yield Table(section, rows[0], tuple(rows[1:]))


def _sections(tokens: Sequence[Token]) -> list[CaseSection]:
    """Headings whose own text, up to the next heading, holds a command or a profile; each profile is a case."""
    cases: list[CaseSection] = []
    heading: str | None = None
    current: CaseSection | None = None
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            heading, current = _plain(tokens[index + 1]), None
        elif token.type in ("fence", "code_block") and heading is not None:
            command, profile = find_command(token.content), parse_profile(token.content)
            if command is None and profile.step_count is None and not profile.steps and "total" not in profile.figures:
                continue
            again = current is not None and not current.profile.empty and "denoising" in profile.figures
            if current is None or again:
                numbered = _NUMBERED.match(heading)
                number, title = (int(numbered[1]), numbered[2]) if numbered else (len(cases) + 1, heading)
                if any(case.number == number for case in cases):
                    number = 1 + max(case.number for case in cases)
                current = CaseSection(number, title)
                cases.append(current)
            if command is not None and current.command is None:
                current.command, current.settings = command, parse_command(command)
            if not profile.empty and current.profile.empty:
                current.profile = profile
    return cases


def _said(blocks: Sequence[Block], pattern: str) -> str | None:
    found = (re.search(pattern, block.text, re.IGNORECASE | re.DOTALL) for block in blocks)
    return next((match[1].strip() for match in found if match), None)


def _common(blocks: Sequence[Block]) -> Settings:
    """Options in backticks in a sentence about all videos, cases or runs."""
    settings = Settings()
    for block in blocks:
        if re.search(
            r"\b(?:all|every|each)\b.*\b(?:videos?|cases?|runs?|configurations?)\b", block.text, re.IGNORECASE
        ):
            for code in block.code:
                if code.startswith("-") and PROGRAM not in code:
                    settings = parse_command(code).over(settings)
    return settings


def _add_summary(page: Page) -> None:
    """Joins the first table with a column of times and a row a case to the cases, by number, else by title."""
    table = next((table for table in page.tables if {"title", "time"} <= _columns(table).keys()), None)
    if table is None:
        return
    columns = _columns(table)
    for order, row in enumerate(table.rows, start=1):
        cells = {name: row[index] for name, index in columns.items() if index < len(row) and row[index]}
        digits = re.sub(r"\D", "", cells.pop("number", ""))
        number = int(digits[:6]) if digits else None
        case = next((case for case in page.cases if case.number == number), None)
        if case is None:
            case = next(
                (case for case in page.cases if case.title.casefold() == cells.get("title", "").casefold()), None
            )
        if case is None:
            case = CaseSection(number or order, cells.get("title", f"case {order}"))
            page.cases.append(case)
        case.summary = cells
    page.cases.sort(key=lambda case: case.number)


def _columns(table: Table) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, title in enumerate(table.header):
        for name, pattern in COLUMNS.items():
            if name not in found and re.fullmatch(pattern, title.strip(), re.IGNORECASE):
                found[name] = index
                break
    return found
