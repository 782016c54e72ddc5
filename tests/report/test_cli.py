from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ltxbench.cli.report import report
from ltxbench.errors import ResultError
from tests.report.runs import BEAVER, bare, make_matrix, make_record, store_run

APP = typer.Typer()
APP.command()(report)


def run_report(root: Path, *arguments: str) -> str:
    places = ["--reports", str(root / "reports"), "--runs", str(root / "runs")]
    result = CliRunner().invoke(APP, ["beaver-dam", *places, *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_latest_run_is_shown_and_then_the_pages_own(tmp_path: Path) -> None:
    store_run(tmp_path / "runs", [bare(make_record(BEAVER[0], 1))], make_matrix(BEAVER[:1]), memory=False)
    page = tmp_path / "reports" / "beaver-dam" / "README.md"
    assert run_report(tmp_path, "--run", "latest").strip() == str(page)
    before = page.read_bytes()
    run_report(tmp_path)
    assert page.read_bytes() == before


def test_a_page_that_was_never_made_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no such run"):
        run_report(tmp_path)
    with pytest.raises(ResultError, match="there is no run of beaver-dam"):
        run_report(tmp_path, "--run", "latest")
