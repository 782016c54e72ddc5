"""`ltxbench report --check`: what of a page is not what its stored run gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ltxbench.cli.report import report
from ltxbench.errors import Stale, UsageError
from ltxbench.report import manifest, write
from ltxbench.report.manifest import Options
from ltxbench.report.stale import changed_lines, differences
from tests.report.runs import BEAVER, bare, make_matrix, make_record, store_run

APP = typer.Typer()
APP.command()(report)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    records = [bare(make_record(BEAVER[0], 1)).model_copy(update={"steps": make_record(BEAVER[0], 1).steps})]
    run = store_run(root / "runs", records, make_matrix(BEAVER[:1]), videos=True, memory=False)
    return write(run, root / "reports" / "beaver-dam").parent


@pytest.fixture
def page(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "beaver-dam"))


def found(page: Path) -> dict[str, str]:
    return {each.file.relative_to(page).as_posix(): each.what for each in differences(page)}


def test_a_fresh_page_is_as_it_should_be_and_checking_writes_nothing(page: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in page.rglob("*")}
    assert found(page) == {}
    assert {path: path.stat().st_mtime_ns for path in page.rglob("*")} == before


def test_an_edited_page_is_stale_and_the_lines_are_told(page: Path) -> None:
    text = (page / "README.md").read_text()
    (page / "README.md").write_text(text.replace("# Beaver Dam", "# Beaver Dams", 1))
    (difference,) = differences(page)
    assert difference.lines == ("line 1 - # Beaver Dams", "line 1 + # Beaver Dam")


def test_changed_results_make_page_and_plot_stale(page: Path) -> None:
    record = page / "run/cases/distilled/round-1/record.json"
    stored = json.loads(record.read_text())
    stored["steps"][3]["step_s"] *= 2
    record.write_text(json.dumps(stored))
    stale = found(page)
    assert stale["plots/steps.json"] == "is not what the stored results give"
    assert stale["plots/steps.svg"] == stale["plots/steps.png"] == "shows other data than the stored results"
    assert "README.md" in stale
    assert "frames/distilled_frame_12.png" not in stale


def test_other_pixels_of_the_same_data_are_not_stale_but_another_file_is(page: Path) -> None:
    picture = page / "plots/steps.png"
    picture.write_bytes(picture.read_bytes() + b"x")
    assert found(page) == {"plots/steps.png": "is not the file that the report wrote"}
    written = manifest.read(page)
    entry = written.files["plots/steps.png"].model_copy(update={"sha256": manifest.file_sha256(picture)})
    files = {**written.files, "plots/steps.png": entry}  # as another version of matplotlib would have drawn it
    manifest.write(page, manifest.Manifest(written.options, files))
    assert found(page) == {}


def test_missing_and_left_over_files_are_told(page: Path) -> None:
    (page / "frames/distilled_sheet.png").unlink()
    written = manifest.read(page)
    (page / "plots/old.svg").write_text("old")
    files = {**written.files, "plots/old.svg": manifest.Entry(sha256="0" * 64)}
    manifest.write(page, manifest.Manifest(written.options, files))
    assert found(page) == {
        "frames/distilled_sheet.png": "is missing",
        "plots/old.svg": "belongs to an earlier page",
    }


def test_the_command_says_what_differs_and_has_its_own_exit_code(page: Path) -> None:
    options = ["beaver-dam", "--reports", str(page.parent), "--check"]
    assert CliRunner().invoke(APP, options).exit_code == 0
    (page / "README.md").write_text("mine\n")
    result = CliRunner().invoke(APP, options)
    assert isinstance(result.exception, Stale)
    assert result.exception.exit_code == 11
    assert "README.md: is not what the stored results give" in result.stdout
    assert (page / "README.md").read_text() == "mine\n"


def test_videos_are_linked_with_a_base_url_which_the_page_keeps(page: Path) -> None:
    from ltxbench.run import store

    run = store.load(page / "run")
    write(run, page, Options(base_url="https://example.org/media/"))
    text = (page / "README.md").read_text()
    assert 'href="https&#58;//example.org/media/run/cases/distilled/round-1/distilled.mp4"' in text
    assert 'src="frames/distilled.webp"' in text
    assert found(page) == {}
    write(run, page)
    assert (page / "README.md").read_text() == text
    write(run, page, Options())
    assert "example.org" not in (page / "README.md").read_text()


@pytest.mark.parametrize(
    "url", ["ftp://x/", "javascript:alert(1)", "https://x/?a=", "https://x/ y", "x", 'https://x/"']
)
def test_what_is_no_base_url_is_refused(page: Path, url: str) -> None:
    result = CliRunner().invoke(APP, ["beaver-dam", "--reports", str(page.parent), "--base-url", url])
    assert isinstance(result.exception, UsageError)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", ""])
def test_a_page_cannot_be_written_elsewhere(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(APP, ["beaver-dam", "--reports", str(tmp_path), "--as", name])
    assert isinstance(result.exception, UsageError)


def test_a_run_of_one_matrix_is_shown_under_another_name(page: Path) -> None:
    result = CliRunner().invoke(
        APP, ["beaver-dam", "--run", str(page / "run"), "--reports", str(page.parent), "--as", "beaver-dam-h100"]
    )
    assert result.exit_code == 0, result.exception
    other = page.parent / "beaver-dam-h100"
    assert "MATRIX=beaver-dam-h100" in (other / "README.md").read_text()
    assert found(other) == {}


def test_only_line_ends_is_a_difference_too() -> None:
    assert changed_lines(b"a\nb\n", b"a\r\nb\r\n") == ("only line ends differ",)
