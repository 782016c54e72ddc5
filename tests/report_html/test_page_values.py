"""What the page's scripts are given, and how it gets there unharmed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ltxbench.report import results as stored
from ltxbench.report.badges import Finding
from ltxbench.report.html import charts, embed, prose, series, vendored, write_page
from ltxbench.report.measured import measured
from ltxbench.run.records import Outcome, Phase
from tests.report.runs import BEAVER, failed, make_matrix, make_record, store_run
from tests.report_html import pages


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("values")
    return pages.make_page(pages.make_run(folder / "runs", repeats=3, videos=False), folder / "page")


def test_nothing_in_the_data_can_end_its_block() -> None:
    text = embed.json_block({"</script>": "<!-- & \u2028 -->"})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert "\\u003c/script\\u003e" in text


def test_hidden_controls_are_shown_and_lone_surrogates_can_be_written() -> None:
    assert embed.plain("a\u202eb\ud800c\u0007") == "a\ufffdb\ufffdc\ufffd"
    embed.json_block({"x": "\ud800"}).encode()


def test_what_is_not_a_number_is_null() -> None:
    assert embed.plain({"a": (float("nan"), float("inf"), 1.5, True, Outcome.SIGNAL)}) == {
        "a": [None, None, 1.5, True, "signal"]
    }
    with pytest.raises(TypeError, match="object has no place"):
        embed.plain(object())


def test_thinning_keeps_every_peak_and_trough() -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(size=5_000)
    values[3_217], values[4_001] = 99.0, -99.0
    values[100:400] = np.nan
    kept = series.thinned([values, -values], 60)
    assert {0, 3_217, 4_001, 4_999} <= set(kept.tolist())
    assert len(kept) <= 64
    assert (np.diff(kept) > 0).all()


def test_a_short_series_is_kept_whole() -> None:
    assert series.thinned([np.arange(10.0)], 40).tolist() == list(range(10))


def test_a_page_of_many_cases_has_fewer_points_of_each() -> None:
    assert series.points_a_case(8) == series.MOST_POINTS
    assert series.points_a_case(200) == 120
    assert series.points_a_case(1000) == series.FEWEST_POINTS


def test_figures_for_drawing_have_no_more_digits_than_a_screen_shows() -> None:
    assert embed.digits(1.23456789) == 1.2346
    assert embed.digits(12345678.9, 3) == 12300000
    assert embed.digits(float("nan")) is None
    assert embed.digits(0.0) == 0


def test_the_author_can_format_but_not_load_or_run() -> None:
    written = prose.html("# Title\n\n*a* <b onclick=x>b</b> ![p](http://e.x/p.png) [c](javascript:x) [d](https://e.x)")
    assert "<h3>Title</h3>" in written
    assert "<em>a</em>" in written
    assert "<b " not in written
    assert "<img" not in written
    assert 'href="javascript' not in written
    assert '<a href="https://e.x">d</a>' in written


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path / "runs")
    first, second = (pages.make_page(run, tmp_path / name).parent for name in "ab")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [name for name in files if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_the_page_loads_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
    assert not re.findall(r"\son[a-z]+=", text)
    for file in [
        *page.parent.glob("assets/*.css"),
        *(f for f in page.parent.glob("assets/*.js") if f.name != "vega.js"),
    ]:
        assert "http" not in file.read_text(encoding="utf-8"), file.name
    assert "default-src 'none'" in text


def test_figures_are_those_of_all_rounds(page: Path) -> None:
    case = pages.data_of(page)["cases"][0]
    assert len(case["rounds"]) == 3
    assert case["time_s"] == pytest.approx(sorted(case["rounds"].values())[1], rel=1e-4)
    assert case["cells"]["spread"]["t"] != "–"


def test_a_warned_a_failed_and_a_missing_case_are_never_recommended(tmp_path: Path) -> None:
    cases = (BEAVER[0], BEAVER[4], BEAVER[5], BEAVER[6])
    records = [make_record(case, number) for number, case in enumerate(cases[:3], start=1)]
    records[2] = failed(records[2].model_copy(update={"outcome": Outcome.SIGNAL}))
    run = store_run(tmp_path / "runs", records, make_matrix(cases))
    shown = pages.data_of(pages.make_page(run, tmp_path / "page"))["cases"]
    assert [case["excluded"] for case in shown] == [
        None,
        "marked with a warning",
        "did not finish: crashed",
        "not run",
    ]


def test_the_lowest_figures_are_marked_and_ties_with_them(page: Path) -> None:
    cells = [case["cells"] for case in pages.data_of(page)["cases"]]
    assert [place for place, cell in enumerate(cells, start=1) if cell["time"].get("best")] == [4]
    assert [place for place, cell in enumerate(cells, start=1) if cell["peak"].get("best")] == [1, 2]


def test_what_stands_out_in_the_pictures_is_a_badge_and_a_sentence(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path / "runs", videos=False)
    found = {"dev-upscaler": [Finding("lattice", "A lattice of 8 px stands out")]}
    file = write_page(run, stored.read(run), tmp_path, findings=found)
    badges = pages.data_of(file)["cases"][4]["badges"]
    assert {"kind": "warn", "text": "lattice", "sentence": "A lattice of 8 px stands out.", "advice": ""} in badges


def test_a_run_without_figures_has_no_plots_and_no_players(tmp_path: Path) -> None:
    record = failed(make_record(BEAVER[0], 1).model_copy(update={"steps": (), "phases": ()}))
    run = store_run(tmp_path / "runs", [record], make_matrix(BEAVER[:1]), memory=False)
    file = pages.make_page(run, tmp_path / "page")
    data = pages.data_of(file)
    assert data["charts"] == {}
    assert 'id="players"' not in file.read_text(encoding="utf-8")
    assert "vega.js" not in file.read_text(encoding="utf-8").partition("</body>")[0].partition("<script defer")[2]


def test_every_plot_is_valid_vega_lite(tmp_path: Path) -> None:
    import altair as alt

    run = pages.make_run(tmp_path, repeats=2, videos=False)
    drawn = charts.specifications(measured(stored.read(run)))
    assert set(drawn) == {"tradeoff", "steps", "phases", "memory", "rounds"}
    for chart in (*drawn.values(), charts.forest()):
        alt.Chart.from_dict(chart)


def test_a_plot_of_repeats_needs_repeats(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path, videos=False)
    assert "rounds" not in charts.specifications(measured(stored.read(run)))


def test_a_plot_of_memory_needs_memory(tmp_path: Path) -> None:
    run = store_run(tmp_path / "runs", [make_record(BEAVER[0], 1)], make_matrix(BEAVER[:1]), memory=False)
    data = pages.data_of(pages.make_page(run, tmp_path / "page"))
    assert set(data["charts"]) == {"tradeoff", "steps", "phases"}


def test_the_warm_up_is_no_part_of_where_the_time_goes(tmp_path: Path) -> None:
    record = make_record(BEAVER[0], 1)
    warm_up = record.phases[0].model_copy(update={"phase": Phase.WARM_UP, "duration_s": 500.0})
    record = record.model_copy(update={"phases": (warm_up, *record.phases)})
    file = pages.make_page(store_run(tmp_path / "runs", [record], make_matrix(BEAVER[:1])), tmp_path / "page")
    drawn = pages.data_of(file)["charts"]
    assert "Warm-up" not in drawn["phases"]["transform"][0]["filter"]["oneOf"]
    assert "Denoising, stage 1" in drawn["phases"]["transform"][0]["filter"]["oneOf"]
    assert "without the warm-up" in file.read_text(encoding="utf-8")


def test_a_long_prompt_is_folded(tmp_path: Path) -> None:
    run = store_run(tmp_path / "runs", [make_record(BEAVER[0], 1)], make_matrix(BEAVER[:1], prompt="a dam " * 200))
    text = pages.make_page(run, tmp_path / "page").read_text(encoding="utf-8")
    assert "<summary>The prompt (400 words)</summary>" in text


def test_synthetic_weights_are_marked_in_title_table_and_players(tmp_path: Path) -> None:
    run = store_run(tmp_path / "a", [make_record(BEAVER[0], 1)], make_matrix(BEAVER[:1]))
    real = store_run(tmp_path / "b", [make_record(BEAVER[0], 1)], make_matrix(BEAVER[:1]), synthetic=False)
    marked, plain = (pages.make_page(one, tmp_path / name) for one, name in ((run, "p"), (real, "q")))
    text = marked.read_text(encoding="utf-8")
    assert "<title>Beaver Dam (synthetic weights)" in text
    assert "the pictures mean nothing" in text.partition('id="results"')[2]
    assert pages.data_of(marked)["synthetic"] is True
    assert "synthetic" not in plain.read_text(encoding="utf-8").partition('id="data"')[0]


def test_the_kept_copy_of_vega_is_the_one_that_altair_writes_for() -> None:
    import altair

    first = vendored.BUNDLE.read_text(encoding="utf-8").partition("\n")[0]
    version = re.search(r"Vega-Lite (\d+\.\d+)", first)
    assert version is not None
    assert altair.SCHEMA_VERSION.startswith(f"v{version[1]}.")
    assert "BSD" in vendored.LICENCES.read_text(encoding="utf-8")


def test_every_script_and_style_of_a_page_is_in_its_folder(page: Path) -> None:
    named = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (page.parent / name).is_file()] == []


def test_an_unreadable_video_is_left_out(tmp_path: Path) -> None:
    run = pages.make_run(tmp_path / "runs")
    path = run.video_path("dev")
    assert path is not None
    path.write_bytes(b"no video")
    shown = pages.data_of(write_page(run, stored.read(run), tmp_path))
    assert [case["name"] for case in shown["cases"] if case["clip"] is None] == ["dev"]


def test_two_runs_of_which_one_lacks_a_case_can_be_compared(tmp_path: Path) -> None:
    from ltxbench.report.html import write_comparison
    from ltxbench.trust.comparison import compare_runs

    old = pages.make_run(tmp_path / "old", repeats=1, videos=False)
    records = [make_record(case, number) for number, case in enumerate(BEAVER[:3], start=1)]
    new = store_run(tmp_path / "new", records, make_matrix(BEAVER[:3]))
    file = write_comparison(old, new, compare_runs(old, new), tmp_path / "out", threshold=0.03)
    shown = pages.data_of(file)["cases"]
    assert len(shown) == 8
    assert shown[7]["answer"] == "missing"
    assert shown[0]["answer"] == "inconclusive"
