"""What both pages show of the measured pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ltxbench.matrix.case import Case
from ltxbench.quality import measure_run
from ltxbench.report import results as read_results
from ltxbench.report.build import build
from ltxbench.report.html.columns import columns
from ltxbench.report.measured import measured
from ltxbench.report.page import Table
from ltxbench.report.render import render
from ltxbench.report.results import Results
from tests.quality.pictures import pan, photograph, with_grain, with_mesh
from tests.quality.runs import TWINS, scene, stored
from tests.report_html import pages

CLEAN = ("coffee.png", "chelsea.png", "astronaut.png", "grass.png")
"""Cut to 512x320 after a pan."""
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


def test_a_case_with_a_lattice_and_grain_has_its_badge_on_both_pages_without_a_note(tmp_path: Path) -> None:
    cases = tuple(
        Case(name=f"case-{number}", title=f"Case {number}", width=512, height=320, frames=9) for number in range(1, 5)
    )
    frames = {case.name: pan(photograph(name, 560))[:, :320, :512] for case, name in zip(cases, CLEAN, strict=True)}
    frames["case-3"] = np.stack(
        [with_grain(with_mesh(frame, 4, 8), 4, seed) for seed, frame in enumerate(frames["case-3"])]
    )
    run = stored(tmp_path / "runs", frames, cases)
    measure_run(run)
    data = pages.data_of(pages.make_page(run, tmp_path / "page"))
    told = {
        one["name"]: badge["sentence"]
        for one in data["cases"]
        for badge in one["badges"]
        if badge["text"] == "artifacts"
    }
    assert list(told) == ["case-3"]
    assert "where 1 stands out" in told["case-3"]
    assert told["case-3"] in render(build(read_results.read(run), {}, []))
