"""Stored results for other programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ltxbench.cli.export import export
from ltxbench.errors import ResourceError
from ltxbench.report.export.latex import cases_table, escape
from ltxbench.report.export.levels import Level, frame
from ltxbench.report.export.write import Format, encode
from ltxbench.run.records import MemoryRecord, Outcome
from ltxbench.run.store import RunFolder
from tests.report.rounds import repeated
from tests.report.runs import BEAVER, GIB, make_matrix, make_record, store_run

APP = typer.Typer()
APP.command()(export)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    case = BEAVER[0].model_copy(update={"title": 'Größe 50% "_a_"'})
    bare = MemoryRecord(mlx_peak_bytes=52 * GIB + 1)
    records = [
        *repeated(case, 1, (80.0, 81.0, 82.0), memory=bare),
        make_record(BEAVER[3], 2, outcome=Outcome.FAILED),
    ]
    return store_run(tmp_path_factory.mktemp("export"), records, make_matrix((case, BEAVER[3])))


@pytest.mark.parametrize(("level", "count"), [("case", 2), ("round", 4), ("step", 27), ("phase", 17), ("sample", 204)])
def test_each_level_has_its_rows(run: RunFolder, level: str, count: int) -> None:
    table = frame(run, Level(level))
    assert len(table) == count
    assert set(table["case"]) == {"distilled", "distilled-upscaler"}


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_is_given_no_formula(title: str) -> None:
    table = pd.DataFrame({"title": [title, "Distilled - 8"], "drift_share": [-0.5, 0.5]})
    assert encode(table, Format.CSV, Level.CASE).decode() == f"title,drift_share\n'{title},-0.5\nDistilled - 8,0.5\n"
    assert json.loads(encode(table, Format.JSON, Level.CASE))[0]["title"] == title


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("level", list(Level))
def test_what_is_written_is_read_back_the_same(run: RunFolder, form: str, level: Level) -> None:
    table = frame(run, level)
    data = encode(table, Format(form), level)
    if form == "parquet":
        back = pd.read_parquet(io.BytesIO(data))
    elif form == "csv":
        back = pd.read_csv(io.BytesIO(data))
    else:
        back = pd.DataFrame(json.loads(data))
    assert list(back.columns) == list(table.columns)
    for name in table.columns:
        for old, new in zip(table[name], back[name], strict=True):
            assert (pd.isna(old) and pd.isna(new)) or str(new) == str(old) or float(new) == float(old)


def test_whole_numbers_stay_whole_and_what_is_absent_is_empty(run: RunFolder) -> None:
    first = encode(frame(run, Level.CASE), Format.CSV, Level.CASE).decode().splitlines()
    row = dict(zip(first[0].split(","), first[2].split(","), strict=False))
    assert row["rounds_finished"] == "0"
    assert row["generation_s"] == row["mlx_peak_bytes"] == row["generation_mad_s"] == ""
    assert str(52 * GIB + 1) in first[1]
    (stored, _) = json.loads(encode(frame(run, Level.CASE), Format.JSON, Level.CASE))
    assert stored["footprint_peak_bytes"] is None
    assert stored["generation_s"] == 81.0
    assert (stored["generation_min_s"], stored["generation_max_s"], stored["generation_mad_s"]) == (80.0, 82.0, 1.0)


def test_steps_say_which_of_them_are_warm(run: RunFolder) -> None:
    steps = frame(run, Level.STEP)
    one = steps[(steps["case"] == "distilled") & (steps["round"] == 1)]
    assert list(one["kind"]) == ["first", *["warm"] * 7]


def test_the_latex_table_is_escaped_and_has_units(run: RunFolder) -> None:
    text = cases_table(frame(run, Level.CASE))
    assert r"Größe 50\% \textquotedbl{}\_a\_\textquotedbl{}" in text
    assert (
        r"\# & Configuration & Model & Steps & CFG & Resolution & Time (s) & MAD (s) & Peak (GiB) & Verdict \\" in text
    )
    assert "8 & 1.0 & 768x512 & 81.00 & 1.000 & 52.0 & INVALID" in text
    assert r"384x256 -\textgreater{} 768x512 &  &  &  & INVALID \\" in text
    assert text.count(r"\\") == 3


def test_every_special_character_of_latex_is_escaped() -> None:
    assert escape("\\&%$#_{}~^<>|") == (
        r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"
    )
    assert escape("a\nb\u202ec → − 河狸") == r"a b c $\rightarrow$ $-$ 河狸"


def test_the_command_writes_a_file_or_to_standard_output(run: RunFolder, tmp_path: Path) -> None:
    printed = CliRunner().invoke(APP, [str(run.path), "--format", "json"])
    assert len(json.loads(printed.stdout)) == 2
    file = tmp_path / "out.parquet"
    assert CliRunner().invoke(APP, [str(run.path), "-f", "parquet", "--level", "step", "-o", str(file)]).exit_code == 0
    assert len(pd.read_parquet(file)) == 27
    result = CliRunner().invoke(APP, [str(run.path), "-o", str(tmp_path / "no" / "x.csv")])
    assert isinstance(result.exception, ResourceError)
