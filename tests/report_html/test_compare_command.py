"""`ltxbench compare A B --html`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.cli.compare import compare
from ltxbench.errors import UsageError
from tests.report_html import pages


def test_a_page_of_two_runs_is_written_beside_the_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (pages.make_run(tmp_path / name, videos=name == "new") for name in ("old", "new"))
    compare(str(old.path), str(new.path), html=tmp_path / "page")
    told = capsys.readouterr()
    assert "inconclusive" in told.out
    assert told.err.strip() == str(tmp_path / "page" / "index.html")
    data = pages.data_of(tmp_path / "page" / "index.html")
    assert [player["title"] for player in data["players"]][:2] == ["new: Distilled", "new: Dev"]
    assert all((tmp_path / "page" / player["clip"]["src"]).is_file() for player in data["players"])


def test_two_cases_of_one_run_have_no_such_page(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path, videos=False).path
    with pytest.raises(UsageError, match="two runs"):
        compare(f"{run}:distilled", f"{run}:dev", html=tmp_path / "page")
