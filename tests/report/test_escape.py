from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ltxbench.report import escape

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE = (
    "a | b",
    "<script>alert(1)</script>",
    "`code` and ``more``",
    "one\n\n# two\n- three",
    "](javascript:alert(1)) [x](http://y)",
    "![x](y) *bold* _it_ ~~gone~~",
    '" onerror="alert(1)',
    "&lt;b&gt; &amp;",
    "1. first",
    "# heading",
    "- item",
    "---",
    "=====",
    "> quote",
    "\\| \\\\",
    "@everyone $x$ :tada: https://example.org www.example.org",
    "<!-- comment",
)


def plain(html: str) -> str:
    import html as entities
    import re

    return " ".join(entities.unescape(re.sub(r"<[^>]*>", "", html)).split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_plain_text_shows_as_itself_and_as_nothing_else_in_a_paragraph(hostile: str) -> None:
    html = MARKDOWN.render(str(escape.text(hostile)))
    assert html.startswith("<p>")
    assert html.count("<") == 2
    assert plain(html) == " ".join(hostile.split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_plain_text_stays_within_its_table_cell(hostile: str) -> None:
    html = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {escape.text(hostile)} | end |\n")
    assert html.count("<td>") == 2
    assert plain(html.split("<td>")[1].split("</td>")[0]) == " ".join(hostile.split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_plain_text_shows_as_itself_in_an_html_block_and_cannot_leave_an_attribute(hostile: str) -> None:
    html = MARKDOWN.render(f'<div title="{escape.text(hostile)}">\n{escape.text(hostile)}\n</div>\n')
    assert html.count("<") == 2
    assert html.count('"') == 2
    assert plain(html.split("\n")[1]) == " ".join(hostile.split())


@given(st.text(max_size=60))
def test_any_text_renders_as_one_paragraph_of_text(anything: str) -> None:
    escaped = str(escape.text(anything))
    html = MARKDOWN.render(escaped)
    assert html.count("<") == (2 if escaped else 0)


def test_common_prose_stays_readable_in_the_source() -> None:
    prose = "It's 8+3 steps at 384x256, 79.4 s (x86_64): 100% - fine."
    assert escape.text(prose) == prose


def test_invisible_controls_are_shown() -> None:
    assert escape.text("a\u202eb\x1b[1mc") == "a\ufffdb\ufffd&#91;1mc"


@pytest.mark.parametrize("body", ["```\nfence\n```", "````\n`````", "a`b", ""])
def test_nothing_inside_closes_a_fence(body: str) -> None:
    tokens = MARKDOWN.parse(f"{escape.fence(body)}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == (f"{body}\n" if body else "\n")


def test_several_lines_become_one_block() -> None:
    assert escape.paragraphs("one\n\n- two") == "one<br><br>&#45; two"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("*a* [b](#c) `<d>`", "*a* [b](#c) <code>&lt;d&gt;</code>"),
        ("H<sub>2</sub>O<br>", "H<sub>2</sub>O<br>"),
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ('<img src=x onerror="y">', '&lt;img src=x onerror="y">'),
        ("<!-- swallow", "&lt;!-- swallow"),
        ("<details>open", "&lt;details>open"),
        ("<https://example.org> and <javascript:x>", "<https://example.org> and &lt;javascript:x>"),
        ("[x](javascript:alert(1))", "[x](#alert(1))"),
        ("```\n<b> in code", "<pre><code>&lt;b&gt; in code</code></pre>"),
        ("~~~\n```\n<i>\n~~~\n<i>", "<pre><code>&#96;&#96;&#96;&#10;&lt;i&gt;</code></pre>\n&lt;i>"),
    ],
)
def test_an_authors_markdown_is_kept_and_its_html_is_not(body: str, kept: str) -> None:
    assert escape.author(body) == kept
