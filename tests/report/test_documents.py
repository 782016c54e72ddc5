"""Generated parts of Markdown documents."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ltxbench.cli.docs import docs
from ltxbench.errors import ResultError, Stale, UsageError
from ltxbench.report.documents.blocks import find
from ltxbench.report.documents.columns import COLUMNS
from ltxbench.report.documents.refresh import refreshed
from ltxbench.run import store
from ltxbench.run.records import Outcome
from tests.report.runs import BEAVER, make_matrix, make_record, store_run

APP = typer.Typer()
APP.command()(docs)
END = "<!-- /ltxbench -->"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("documents")
    records = [make_record(BEAVER[0], 1), make_record(BEAVER[3], 2, outcome=Outcome.TIMEOUT), make_record(BEAVER[7], 3)]
    run = store_run(root / "runs", records, make_matrix((BEAVER[0], BEAVER[3], BEAVER[7], BEAVER[6])), memory=False)
    store.publish(run.path, root / "reports" / "beaver-dam" / "run")
    return root / "reports"


@pytest.fixture
def fresh(tmp_path: Path, reports: Path):
    def make(text: str) -> str:
        path = tmp_path / "document.md"
        path.write_bytes(text.encode())
        return refreshed([path], reports)[0].new

    return make


def test_a_table_has_the_columns_that_were_asked_for(fresh) -> None:
    text = fresh(f"before\n<!-- ltxbench:table matrix=beaver-dam columns=case,generation,peak -->\nold\n{END}\nafter\n")
    assert text.splitlines() == [
        "before",
        "<!-- ltxbench:table matrix=beaver-dam columns=case,generation,peak -->",
        "| Configuration | Time | Peak memory |",
        "| --- | ---: | ---: |",
        "| Distilled | 79.4&nbsp;s | 52.0&nbsp;GiB |",
        "| Distilled + Upscaler | timed&nbsp;out | – |",
        "| Distilled qint8 | 85.4&nbsp;s | 60.0&nbsp;GiB |",
        "| Dev 1024 | not&nbsp;run | – |",
        END,
        "after",
    ]  # fmt: skip


def test_refreshing_twice_changes_nothing(fresh) -> None:
    once = fresh(f"<!-- ltxbench:table matrix=beaver-dam -->\n{END}\n\n<!-- ltxbench:exit-codes -->\n{END}\n")
    assert fresh(once) == once


def test_cases_are_chosen_by_name_and_pattern(fresh) -> None:
    text = fresh(f"<!-- ltxbench:table matrix=beaver-dam columns=name cases=distilled-*,dev-1024 -->\n{END}")
    assert text.count("\n| ") == 5
    assert "| distilled |" not in text


def test_a_figure_stands_within_a_line(fresh) -> None:
    text = fresh(f"It needs <!-- ltxbench:figure matrix=beaver-dam case=distilled column=mean -->?{END} of memory.")
    assert text == (
        f"It needs <!-- ltxbench:figure matrix=beaver-dam case=distilled column=mean -->27.0&nbsp;GiB{END} of memory."
    )


def test_a_runs_folder_is_relative_to_the_document(tmp_path: Path, reports: Path) -> None:
    document = reports / "note.md"
    document.write_text(f"<!-- ltxbench:table run=beaver-dam/run columns=name -->\n{END}\n")
    assert "| dev-1024 |" in refreshed([document], tmp_path)[0].new


def test_every_column_can_be_shown(fresh) -> None:
    text = fresh(f"<!-- ltxbench:table matrix=beaver-dam columns={','.join(COLUMNS)} -->\n{END}")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert "None" not in text


def test_exit_codes_and_help_come_from_the_program(fresh) -> None:
    text = fresh(f"<!-- ltxbench:exit-codes -->\n{END}\n<!-- ltxbench:help command=report -->\n{END}\n")
    assert "| 11 | a page, or a part of a document" in text
    assert "| 130 | interrupted |" in text
    assert "Usage: ltxbench report [OPTIONS] " in text


def test_line_ends_are_kept(fresh) -> None:
    text = fresh(f"a\r\n<!-- ltxbench:exit-codes -->\r\nold\r\n{END}\r\nb\n")
    block = text.split("-->")[1]
    assert "\r\n| 0 | fine |\r\n" in block
    assert "\n" not in block.replace("\r\n", "")
    assert text.endswith("\r\nb\n")


def test_comments_in_code_are_text(fresh) -> None:
    text = "```\n<!-- ltxbench:nonsense -->\n```\nA `<!-- ltxbench:nonsense -->` span, <!-- a comment -->.\n"
    assert fresh(text) == text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\n<!-- ltxbench:table matrix=x -->\n", 2, "without an end"),
        (f"{END}\n", 1, "no beginning"),
        (
            f"<!-- ltxbench:table matrix=x -->\n<!-- ltxbench:table matrix=x -->\n{END}\n",
            2,
            "within the block of line 1",
        ),
        (f"\n\n<!-- ltxbench:tabel matrix=x -->\n{END}\n", 3, "did you mean 'table'"),
        (f"<!-- ltxbench:table matrix=beaver-dam colums=x -->\n{END}\n", 1, "did you mean 'columns'"),
        (f"<!-- ltxbench:table matrix=beaver-dam columns=case,peek -->\n{END}\n", 1, "did you mean 'peak'"),
        (f"<!-- ltxbench:table matrix=beaver-dam cases=distiled -->\n{END}\n", 1, "did you mean 'distilled'"),
        (f"<!-- ltxbench:table matrix=../x -->\n{END}\n", 1, "no page's name"),
        (f"<!-- ltxbench:table -->\n{END}\n", 1, "either matrix= .* or run="),
        (f"<!-- ltxbench:table matrix -->\n{END}\n", 1, "no key=value"),
        (f"<!-- ltxbench:table matrix=a matrix=b -->\n{END}\n", 1, "given twice"),
        (f"<!-- ltxbench:table matrix='a -->\n{END}\n", 1, "cannot be read"),
        (f"<!-- ltxbench:table matrix=beaver-dam -->{END}\n", 1, "lines of their own"),
        (f"<!-- ltxbench:figure matrix=beaver-dam case=x column=peak -->\n{END}\n", 1, "within one line"),
        (f"a <!-- ltxbench:figure matrix=beaver-dam case=d* column=peak -->{END}\n", 1, "names 4 cases"),
        (f"a <!-- ltxbench:figure matrix=beaver-dam case=d* -->{END}\n", 1, "needs column"),
        (f"<!-- ltxbench:help command=repotr -->\n{END}\n", 1, "did you mean 'report'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(fresh, text: str, line: int, message: str) -> None:
    with pytest.raises(UsageError, match=rf"document\.md:{line}: .*{message}"):
        fresh(text)


def test_a_run_that_is_missing_is_told_with_file_and_line(fresh) -> None:
    with pytest.raises(ResultError, match=r"document\.md:1: .*no such run"):
        fresh(f"<!-- ltxbench:table matrix=nothing -->\n{END}\n")


def test_a_document_that_is_no_text_is_a_clear_error(tmp_path: Path, reports: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8"):
        refreshed([tmp_path / "a.md"], reports)
    with pytest.raises(UsageError, match="cannot be read"):
        refreshed([tmp_path / "b.md"], reports)


def test_the_command_refreshes_and_its_check_does_not(tmp_path: Path, reports: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(f"<!-- ltxbench:exit-codes -->\nold\n{END}\n")
    options = [str(document), "--reports", str(reports)]
    result = CliRunner().invoke(APP, [*options, "--check"])
    assert isinstance(result.exception, Stale)
    assert "line 2 - old" in result.stdout
    assert "old" in document.read_text()
    assert CliRunner().invoke(APP, options).exit_code == 0
    assert "| 0 | fine |" in document.read_text()
    assert CliRunner().invoke(APP, [*options, "--check"]).exit_code == 0


def test_blocks_are_found_in_order() -> None:
    text = f"<!--ltxbench:a x='1 2'-->\n{END}\n<!-- ltxbench:b -->{END}"
    assert [(block.kind, dict(block.options), block.inline) for block in find(text, Path("x"))] == [
        ("a", {"x": "1 2"}, False),
        ("b", {}, True),
    ]
