"""`ltxbench compare A B --html`."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from ltxbench.cli.compare import compare
from ltxbench.errors import UsageError
from tests.report.runs import BEAVER, make_matrix, store_run
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


def test_answers_name_their_cases_and_players_have_the_times_of_the_table(tmp_path: Path) -> None:
    rounds = pages.rounds(BEAVER[:2], 2)
    matrix = make_matrix(BEAVER[:2])
    old, new = (store_run(tmp_path / name, rounds, matrix, videos=True) for name in ("old", "new"))
    compare(str(old.path), str(new.path), html=tmp_path / "page")
    page = tmp_path / "page" / "index.html"
    assert "<dd>2 cases: #1 and #2</dd>" in page.read_text(encoding="utf-8")
    data = pages.data_of(page)
    seconds = {player["case"]: player["time_s"] for player in data["players"]}
    assert seconds == {case["n"]: pytest.approx(case["cells"]["new"]["v"]) for case in data["cases"]}
    assert seconds[1] == pytest.approx(median(r.times.generation_s or 0 for r in rounds[:2]))


def test_two_cases_of_one_run_have_no_such_page(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path, videos=False).path
    with pytest.raises(UsageError, match="two runs"):
        compare(f"{run}:distilled", f"{run}:dev", html=tmp_path / "page")
