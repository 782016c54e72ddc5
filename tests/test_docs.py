"""What the documents say of the repository is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ltxbench import errors
from tests.test_errors import subclasses

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("reports/*/README.md"))]
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    links = {first or second for first, second in LINK.findall(text)}
    files = {link.partition("#")[0] for link in links if not link.startswith(("http", "#"))}
    assert [file for file in sorted(files) if not (document.parent / file).exists()] == []


def test_the_readme_lists_every_exit_code() -> None:
    table = set(re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert table == {"0", "1", str(errors.INTERRUPTED), *(str(error.exit_code) for error in subclasses())}
