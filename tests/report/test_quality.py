"""What both pages show of the measured pictures."""

from __future__ import annotations

import pytest

from ltxbench.quality import measure_run
from ltxbench.report import results as read_results
from ltxbench.report.build import build
from ltxbench.report.html.columns import columns
from ltxbench.report.measured import measured
from ltxbench.report.page import Table
from ltxbench.report.results import Results
from tests.quality.runs import TWINS, scene, stored

OTHER = TWINS[0].model_copy(update={"name": "other", "title": "Other", "seed": 43, "reference": "plain"})


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three cases: the plain one, its quantized twin that differs in frame 3, and one of another noise."""
    other = scene()
    other[3] = 255 - other[3]
    noise = {"other": "cd" * 32}
    run = stored(
        tmp_path_factory.mktemp("runs"),
        {"plain": scene(), "int8": other, "other": scene(9)},
        (*TWINS, OTHER),
        noise=noise,
    )
    measure_run(run)
    return read_results.read(run)


def texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text for cell in row] for row in table.rows]


def test_every_measured_case_has_a_row(results: Results) -> None:
    page = build(results, {}, [])
    assert [row[1] for row in texts(page.quality)] == ["Plain", "8 bit", "Other"]


def test_each_comparison_names_the_other_case_and_the_worst_frame(results: Results) -> None:
    int8, other = texts(build(results, {}, []).pictures_compared)
    assert int8[:3] == ["2", "8 bit", "Plain (bf16 twin)"]
    assert int8[6] == "8 of 9"
    assert int8[7].startswith("3 (")
    assert float(int8[3]) < 1
    assert int8[4].endswith(" dB")
    assert other[1:4] == ["Other", "Plain (reference case)", "they began from different noise"]
    assert set(other[4:]) == {"–"}


def test_a_run_whose_pictures_were_not_measured_has_neither_table_nor_columns(results: Results) -> None:
    bare = Results(results.run, results.records)
    page = build(bare, {}, [])
    assert (page.quality, page.pictures_compared) == (None, None)
    assert not {"artifacts", "ssim"} & {column.key for column in columns(bare, measured(bare))}


def test_the_interactive_table_has_the_pictures_figures_hidden(results: Results) -> None:
    found = {column.key: column for column in columns(results, measured(results))}
    assert not found["sharpness"].shown
    plain, int8, _ = measured(results)
    assert found["psnr"].value(plain).text == "–"
    assert found["psnr"].value(int8).text.endswith(" dB")
    assert found["ssim"].value(int8).sort == pytest.approx(float(found["ssim"].value(int8).text), abs=5e-4)
    assert "bf16" in found["ssim"].meaning
