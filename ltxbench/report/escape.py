"""What strangers wrote, made harmless in GitHub-flavoured Markdown and in the HTML within it.

Plain text is escaped with character references alone: they mean the character itself in a paragraph, a table cell, an
HTML block and a double-quoted attribute, and never structure (CommonMark 0.31, 2.5), so one function serves all.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote


class Safe(str):
    """Text that is part of the page as it stands: escaped already, or structure of our own."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


_SPECIAL = re.compile(
    r"""[&<>"|*`\[\]\\~$@]            # structure of Markdown and HTML, mathematics, mentions
    |(?<![^\W_])_|_(?![^\W_])        # an underscore within a word is no emphasis
    |:(?=//)|(?<=\bwww)\.            # addresses that would become links
    |:(?=[A-Z+-][\w+-]*:)            # :emoji:
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEADING_BLOCK = re.compile(r"(?:#{1,6}|[+-]|\d{1,9}[.)])(?=\s|$)|[=-](?=[\s=-]*$)")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_RARE = re.compile(r"[^\n\t -~]")

_JOINERS = "\u200c\u200d"  # part of emoji and of several scripts
_INLINE_TAGS = frozenset({"b", "i", "em", "strong", "sub", "sup", "kbd", "code", "s", "del", "ins", "mark", "small"})
_BLOCK_TAGS = frozenset({"details", "summary"})
_VOID_TAGS = frozenset({"br", "hr"})
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)\s*(/?)>")
_WEB_LINK = re.compile(r"<https?://[^\s<>]+>")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_MAY_BECOME_HTML = re.compile(rf"`|~~~|{_TAG.pattern}")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_SCRIPT_TARGET = re.compile(
    r"(\]\(\s*<?|^ {0,3}\[[^\]]*\]:\s*<?)\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE | re.MULTILINE
)


def text(value: object) -> Safe:
    """One line of plain text for any place on the page but a code span or a fence."""
    if type(value) is Safe:
        return value
    if hasattr(value, "__html__"):
        return Safe(value)
    return _text(str(value))


@lru_cache(maxsize=1 << 14)
def _text(value: str) -> Safe:
    """A page of many cases says the same words over and over."""
    plain = " ".join(visible(value).split())
    leading = _LEADING_BLOCK.match(plain)
    if leading is None:
        return Safe(_SPECIAL.sub(_reference, plain))
    marker = leading.end() - 1
    return Safe(f"{plain[:marker]}&#{ord(plain[marker])};{_SPECIAL.sub(_reference, plain[marker + 1 :])}")


def _reference(match: re.Match[str]) -> str:
    return _NAMED.get(match[0]) or f"&#{ord(match[0])};"


def unbroken(value: object) -> Safe:
    """Plain text that stays on one line, such as a figure and its unit."""
    return Safe(text(value).replace(" ", "&nbsp;"))


def paragraphs(value: str) -> Safe:
    """Plain text of several lines, for one block: line ends become `<br>`."""
    lines = [text(line) for line in value.strip().splitlines()]
    return Safe("<br>".join(lines))


def code(value: object) -> Safe:
    """A code span. `<code>` rather than backticks: entities work in it, and a table cell may hold it."""
    return Safe(f"<code>{text(value)}</code>")


def fence(value: str, language: str = "") -> Safe:
    """A fenced block that nothing inside can close."""
    body = visible(value).strip("\n")
    longest = max((len(ticks) for ticks in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Safe(f"{ticks}{language}\n{body}\n{ticks}")


def path(value: str) -> Safe:
    """A relative path for `src`, `href` and Markdown links."""
    return Safe(quote(value, safe="/"))


def visible(value: str) -> str:
    """Without the characters that a reader cannot see but a terminal or a browser obeys; line ends and tabs stay."""
    if value.isascii() and value.isprintable():
        return value
    unified = value.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _RARE.sub(_shown, unified)


def _shown(match: re.Match[str]) -> str:
    """The replacement character for a control; every other rare character as it is."""
    hidden = match[0] not in _JOINERS and unicodedata.category(match[0]) in {"Cc", "Cf", "Cs"}
    return "\ufffd" if hidden else match[0]


def author(value: str) -> Safe:
    """Markdown of the matrix's author: everything Markdown can do, plain formatting tags, and no other HTML.

    An unclosed fence or `<details>` cannot swallow the rest of the page.
    """
    source = visible(value).strip("\n")
    prose = "\n".join(chunk for chunk, fenced in _chunks(source) if not fenced)
    allowed = _allowed_tags(_CODE_SPAN.sub("", prose))
    # Within a block of HTML an address in angle brackets is a tag, and what follows its host are attributes.
    links = not _MAY_BECOME_HTML.search(source)
    done = [_fenced(chunk) if fenced else _without_html(chunk, allowed, links) for chunk, fenced in _chunks(source)]
    return Safe("\n".join(done))


def _fenced(chunk: str) -> str:
    """As it is, unless it holds `<`: a list that ends, or a block of HTML around it, makes text of a fence."""
    if "<" not in chunk:
        return chunk
    body = "\n".join(chunk.split("\n")[1:-1])
    return f"<pre><code>{_references(body)}</code></pre>"


def _code_span(span: re.Match[str]) -> str:
    """As it is, unless it holds `<`: a cell's edge, a backslash or a block of HTML makes text of a code span."""
    return f"<code>{_references(span[2].strip())}</code>" if "<" in span[0] else span[0]


def _references(body: str) -> str:
    """Every character itself, white space included, on one line: a blank one would end a block of HTML."""
    return _SPECIAL.sub(_reference, body).replace("\n", "&#10;")


def _link(match: re.Match[str]) -> str:
    address = match[0][1:-1]
    return f"[{text(address)}]({quote(address, safe='/:?#@!$&*+,;=%~')})"


def _chunks(source: str) -> list[tuple[str, bool]]:
    """(text, is a fenced block), in order; a fence that is left open is closed."""
    chunks: list[tuple[str, bool]] = []
    lines: list[str] = []
    opened = ""
    for line in source.split("\n"):
        match = _FENCE.match(line)
        if not opened and match and not (match[1][0] == "`" and "`" in match[2]):
            if lines:
                chunks.append(("\n".join(lines), False))
            opened, lines = match[1], [line]
        elif opened and match and match[1].startswith(opened) and not match[2].strip():
            chunks.append(("\n".join([*lines, line]), True))
            opened, lines = "", []
        else:
            lines.append(line)
    if opened:
        chunks.append(("\n".join([*lines, opened]), True))
    elif lines:
        chunks.append(("\n".join(lines), False))
    return chunks


def _allowed_tags(prose: str) -> frozenset[str]:
    """The tags of the list that are opened as often as they are closed."""
    balance: dict[str, int] = {}
    for closing, name, _ in _TAG.findall(prose):
        balance[name.lower()] = balance.get(name.lower(), 0) + (-1 if closing else 1)
    paired = {name for name in _INLINE_TAGS | _BLOCK_TAGS if balance.get(name, 0) == 0}
    return frozenset(paired | _VOID_TAGS)


def _without_html(prose: str, allowed: frozenset[str], links: bool) -> str:
    kept: list[str] = []
    position = 0
    for span in _CODE_SPAN.finditer(prose):
        kept += [_tags_only(prose[position : span.start()], allowed, links), _code_span(span)]
        position = span.end()
    kept.append(_tags_only(prose[position:], allowed, links))
    return _SCRIPT_TARGET.sub(r"\1#", "".join(kept))


def _tags_only(prose: str, allowed: frozenset[str], links: bool) -> str:
    if not links:
        prose = _WEB_LINK.sub(_link, prose)

    def keep_or_escape(match: re.Match[str]) -> str:
        rest = prose[match.start() :]
        tag = _TAG.match(rest)
        if (tag and tag[2].lower() in allowed) or _WEB_LINK.match(rest):
            return "<"
        return "&lt;"

    return re.sub("<", keep_or_escape, prose)
