"""Whatever a matrix says, a page holds no tag, attribute or script of its author's making.

Pages are rendered by markdown-it and taken apart by html5lib, as a browser does it.
"""

from __future__ import annotations

import re
import shlex

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ltxbench.report import escape

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TAGS = {
    "html",
    "head",
    "body",
    "p",
    "em",
    "strong",
    "a",
    "img",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "blockquote",
    "hr",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "s",
    "del",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "b",
    "i",
    "sub",
    "sup",
    "kbd",
    "ins",
    "mark",
    "small",
    "details",
    "summary",
}
ATTRIBUTES = {"href", "title", "src", "alt", "class", "start", "style"}
PIECES = [
    "<",
    "</",
    ">",
    "script",
    "img",
    "src=x",
    "onerror=alert(1)",
    "details",
    "`",
    "``",
    "```",
    "~~~",
    "\n",
    "\n\n",
    "    ",
    "\t",
    "[x]",
    "(",
    "javascript:",
    "data:",
    "java\nscript:",
    "java&#115;cript:",
    "<https://a/onclick=x>",
    "<http://a?b=c>",
    "![",
    "](",
    "]: ",
    "[a]: <",
    "&lt;",
    "!--",
    "-->",
    "<?",
    "<!",
    "[[",
    "<b>",
    "</b>",
    "<br>",
    "<hr/>",
    "\\",
    "\\`",
    "|",
    "-",
    "#",
    "> ",
    "- ",
    "1. ",
    "\x00",
    "\u2028",
    "é",
    "&",
    '"',
    "'",
    "=",
    "<KBD>",
    "</kbd>",
    "<details>",
    "</details>",
    "<script>alert(1)</script>",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=14).map("".join)
PLACES = (
    "%s",
    "- %s",
    "| a |\n|---|\n| %s |\n",
    '<div title="%s">\n',
    "## %s",
    "<td>%s</td>",
    "<svg><title>%s</title></svg>",
)


def judge(rendered: str) -> None:
    for element in html5lib.parse(rendered, treebuilder="etree", namespaceHTMLElements=False).iter():
        assert element.tag in TAGS, f"{element.tag} in {rendered!r}"
        assert set(element.attrib) <= ATTRIBUTES, f"{element.attrib} in {rendered!r}"
        for name in ("href", "src"):
            target = re.sub(r"[\x00-\x20]", "", element.attrib.get(name, "")).lower()
            assert not target.startswith(("javascript:", "vbscript:", "data:")), rendered


@pytest.mark.parametrize(
    "body",
    [
        "<hr/>`<script>alert(1)</script>`",
        "<details>\n`<img src=x onerror=alert(1)>`\n</details>",
        "<details>\n```\n<img src=x onerror=alert(1)>\n```\n</details>",
        "\\`<img src=x onerror=alert(1)>`",
        "| a | b |\n|---|---|\n| ` | <script>alert(1)</script> ` |",
        "- a\n  ```\n<script>alert(1)</script>\n  ```",
        "<hr/><https://a/onclick=alert(1)>",
        "<hr/>`<https://a/onclick=alert(1)>`",
        "```\n<script>alert(1)</script>",
    ],
)
def test_markup_that_hides_in_code_or_in_an_address_stays_text(body: str) -> None:
    judge(MARKDOWN.render(str(escape.author(body))))


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_an_authors_markdown_makes_no_other_elements_and_ends(body: str) -> None:
    rendered = MARKDOWN.render(f"{escape.author(body)}\n\nafter\n")
    judge(rendered)
    assert "after</p>" in rendered


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_plain_text_adds_no_element_in_any_place(body: str) -> None:
    escaped = str(escape.text(body))
    for place in PLACES:
        plain = MARKDOWN.render(place % ("x" if escaped else ""))
        assert MARKDOWN.render(place % escaped).count("<") == plain.count("<")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5))
def test_a_command_shown_in_a_fence_gives_its_arguments_back(arguments: list[str]) -> None:
    visible = [escape.visible(argument) for argument in arguments]
    (fence, *_) = MARKDOWN.parse(str(escape.fence(f"x {shlex.join(visible)} x")))
    assert shlex.split(fence.content)[1:-1] == visible


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("`a`", "`a`"),
        ("`<d>`", "<code>&lt;d&gt;</code>"),
        ("```\nb\n```", "```\nb\n```"),
        ("```\na < b\n\nc\n```", "<pre><code>a &lt; b&#10;&#10;c</code></pre>"),
        ("<https://example.org>", "<https://example.org>"),
        ("<b>x</b> <https://a.org/?b=c>", "<b>x</b> [https&#58;//a.org/?b=c](https://a.org/?b=c)"),
    ],
)
def test_code_and_addresses_stay_as_written_where_nothing_can_hide_in_them(body: str, shown: str) -> None:
    assert escape.author(body) == shown
