from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ltxbench.report.figures import PHASE_TITLES
from ltxbench.report.manifest import Sources
from ltxbench.report.memory_series import MemorySeries
from ltxbench.report.plots import draw_all, memory, phases, rounds, steps, style, tradeoff
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord, MemoryRecord, Outcome, Phase, PhaseRecord
from tests.report.rounds import repeated
from tests.report.runs import BEAVER, GIB, make_matrix, make_record, make_run, many

Words = tuple[list[CaseRecord], dict[str, tuple[Figure, list[Text]]]]


def records_of(count: int) -> list[CaseRecord]:
    if count <= 8:
        return [make_record(case, number) for number, case in enumerate(BEAVER[:count], start=1)]
    return [
        make_record(case, number, scale=1 + number * 7 % 13 / 5) for number, case in enumerate(many(count), start=1)
    ]


def series_of(records: list[CaseRecord]) -> dict[str, MemorySeries]:
    time_s = np.linspace(0, 90, 50)
    active = GIB * (20 + 5 * np.sin(time_s))
    return {record.case.name: MemorySeries(time_s, active, active + 3.0 * GIB) for record in records}


def figures(records: list[CaseRecord]) -> dict[str, Figure]:
    drawn = {
        "steps": steps.draw(records),
        "phases": phases.draw(records),
        "memory": memory.draw(records, series_of(records)),
        "tradeoff": tradeoff.draw(records),
    }
    for figure in drawn.values():
        style.settle(figure)
    return drawn


def texts(figure: Figure) -> list[Text]:
    """Those that show."""
    figure.draw_without_rendering()
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible() and text.get_text()]
    ticks = {label for axis in figure.axes for label in (*axis.get_xticklabels(), *axis.get_yticklabels())}
    minor = {
        label for axis in figure.axes for label in (*axis.get_xticklabels("minor"), *axis.get_yticklabels("minor"))
    }
    shown = [text for text in found if text not in ticks | minor]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            if axis.get_tick_params().get("labelleft", True) or axis is axes.xaxis:
                shown += [
                    label
                    for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
                    if label.get_text() and label.get_visible() and low <= place <= high
                ]
    return shown


@pytest.fixture(scope="module", params=[1, 8, 40])
def words_of_plots(request: pytest.FixtureRequest) -> Iterator[Words]:
    records = records_of(request.param)
    with style.styled():
        yield records, {name: (figure, texts(figure)) for name, figure in figures(records).items()}


def test_no_words_overlap_and_all_are_inside_and_large_enough(words_of_plots: Words) -> None:
    for name, (figure, shown) in words_of_plots[1].items():
        assert all(text.get_fontsize() >= 8 for text in shown)
        boxes = [(text.get_text(), Text.get_window_extent(text).padded(-1)) for text in shown]
        width, height = figure.bbox.size
        for words, box in boxes:
            assert -1 <= box.x0 < box.x1 <= width + 1, (name, words)
            assert -1 <= box.y0 < box.y1 <= height + 1, (name, words)
        for (first, one), (second, other) in combinations(boxes, 2):
            assert not one.overlaps(other), (name, first, second)


def test_every_case_is_named_in_every_plot(words_of_plots: Words) -> None:
    records, plots = words_of_plots
    for name, (_, shown) in plots.items():
        missing = {str(record.number) for record in records} - {
            text.get_text().split(" ")[0].lstrip("#") for text in shown
        }
        assert not missing, (name, missing)


def test_the_same_run_gives_the_same_files(tmp_path: Path) -> None:
    records = records_of(1)
    results = Results(make_run(make_matrix(BEAVER[:1])), tuple(records), series_of(records))
    for folder in (tmp_path / "plots", tmp_path / "again"):
        draw_all(results, folder)
    files = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert len(files) == 12
    for name in files:
        assert (tmp_path / "plots" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_data_of_every_plot_is_kept_and_what_was_not_measured_is_null(tmp_path: Path) -> None:
    records = records_of(3)
    results = Results(make_run(make_matrix(BEAVER[:3])), tuple(records), series_of(records))
    drawn, named = Sources(), Sources()
    draw_all(results, tmp_path / "drawn", drawn)
    draw_all(results, tmp_path / "plots", named, draw=False)
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".json"}
    steps = json.loads((tmp_path / "plots" / "steps.json").read_text())
    assert [case["name"] for case in steps["cases"]] == ["distilled", "dev", "dev-lora"]
    assert len(steps["cases"][1]["steps"]) == 40
    assert {name.split("/")[1]: of for name, of in drawn.of.items()} == {
        name.split("/")[1]: of for name, of in named.of.items()
    }
    for path in (tmp_path / "plots").iterdir():
        assert path.read_bytes() == (tmp_path / "drawn" / path.name).read_bytes()


def test_cases_without_data_are_left_out_and_named(tmp_path: Path) -> None:
    records = records_of(3)
    records[1] = make_record(BEAVER[1], 2, outcome=Outcome.FAILED)
    plots = draw_all(Results(make_run(make_matrix(BEAVER[:3])), tuple(records)), tmp_path / "plots")
    captions = {plot.svg: plot.caption for plot in plots}
    assert set(captions) == {"plots/steps.svg", "plots/phases.svg", "plots/tradeoff.svg"}
    assert captions["plots/tradeoff.svg"].endswith("Left out for lack of data: #2.")
    assert "Left out" not in captions["plots/steps.svg"]


def test_cases_of_few_and_of_many_steps_are_drawn_apart() -> None:
    records = [*records_of(8), make_record(BEAVER[0], 1, outcome=Outcome.FAILED)]
    assert [[len(record.steps) for record in panel] for panel in steps._panels(records)] == [
        [3, 8, 8, 8, 11, 11],
        [40, 40, 43],
    ]
    assert len(steps._panels(records_of(1))) == 1


def test_a_case_has_one_colour_whatever_else_is_drawn() -> None:
    assert len({style.colour(number) for number in range(1, style.FEW + 1)}) == style.FEW
    with style.styled():
        figure = steps.draw([make_record(BEAVER[5], 6)])
        assert {line.get_color() for line in figure.axes[0].lines} == {style.colour(6)}


def test_strange_titles_are_drawn_as_text(tmp_path: Path) -> None:
    case = BEAVER[0].model_copy(update={"title": "$x^2$ 河狸 \\frac{ 50% _a"})
    records = [make_record(case, 1)]
    assert style.label(1, case.title) == "#1 $x^2$ □□ \\frac{ 50% _a"
    draw_all(Results(make_run(make_matrix([case])), tuple(records), series_of(records)), tmp_path / "plots")


def test_a_long_title_is_shortened() -> None:
    assert style.label(3, "x" * 50, 10) == "#3 xxxxxxxxx…"


def test_equal_figures_zero_durations_and_one_step_are_drawn(tmp_path: Path) -> None:
    record = make_record(BEAVER[0].model_copy(update={"steps": 1}), 1)
    record = record.model_copy(
        update={
            "steps": tuple(step.model_copy(update={"step_s": 0.0}) for step in record.steps),
            "times": record.times.model_copy(update={"generation_s": 0.0}),
            "memory": MemoryRecord(mlx_peak_bytes=0),
        }
    )
    draw_all(Results(make_run(make_matrix([record.case])), (record,)), tmp_path / "plots")


def test_thinning_keeps_the_peak_and_the_ends() -> None:
    values = np.ones(10_000)
    values[1234], values[9999] = 9.0, 3.0
    time_s, kept = memory.thinned(np.arange(10_000.0), values)
    assert len(kept) <= memory.POINTS + 2
    assert kept.max() == 9.0
    assert time_s[np.argmax(kept)] == 1234
    assert (time_s[0], time_s[-1]) == (0, 9999)


def test_a_series_with_gaps_is_drawn(tmp_path: Path) -> None:
    record = make_record(BEAVER[0], 1)
    nothing = np.full(1000, np.nan)
    footprint = nothing.copy()
    footprint[500:] = GIB
    series = {record.case.name: MemorySeries(np.arange(1000.0), nothing, footprint)}
    plots = draw_all(Results(make_run(make_matrix([record.case])), (record,), series), tmp_path / "plots")
    assert "plots/memory.svg" in {plot.svg for plot in plots}


def test_the_front_is_what_nothing_beats() -> None:
    points = [(1.0, 9.0), (2.0, 5.0), (3.0, 7.0), (2.0, 5.0), (4.0, 5.0), (5.0, 1.0)]
    assert tradeoff.front(points) == [0, 1, 3, 5]


def test_a_few_bytes_less_win_no_ring() -> None:
    fast, slow = make_record(BEAVER[0], 1), make_record(BEAVER[1], 2)
    peak = fast.memory.mlx_peak_bytes
    assert peak is not None
    leaner = slow.model_copy(update={"memory": slow.memory.model_copy(update={"mlx_peak_bytes": peak - 8})})
    drawn = tradeoff.draw([fast, leaner])
    ringed = drawn.axes[0].collections[-1].get_offsets()
    assert len(np.asarray(ringed)) == 1


def test_the_memory_axis_holds_the_highest_panel_wherever_it_is() -> None:
    records = [make_record(case, number) for number, case in enumerate(BEAVER[:3], start=1)]
    time = np.arange(10.0)
    series = {
        record.case.name: MemorySeries(time, np.full(10, scale * GIB), np.full(10, 2 * scale * GIB))
        for record, scale in zip(records, (1.0, 5.0, 3.0), strict=True)
    }
    figure = memory.draw(records, series)
    low, high = figure.axes[0].get_ylim()
    assert (low, high > 10) == (0, True)


def test_every_phase_has_a_title_and_a_colour_of_its_own() -> None:
    assert set(PHASE_TITLES) == set(style.PHASE_COLOURS) == set(Phase)
    assert len(set(style.PHASE_COLOURS.values())) == len(Phase)


def test_a_warm_up_is_shaded_over_time_and_part_of_no_bar() -> None:
    warm_up = PhaseRecord(phase=Phase.WARM_UP, start_s=0.0, duration_s=5000.0)
    records = [record.model_copy(update={"phases": (warm_up, *record.phases)}) for record in records_of(2)]
    memory.draw(records, series_of(records))
    assert phases.draw(records).axes[0].get_xlim()[1] < 5000


def test_rounds_have_a_plot_of_their_spread_where_there_are_several(tmp_path: Path) -> None:
    several = repeated(BEAVER[0], 1, (80.0, 81.0, 84.0))
    once = make_record(BEAVER[1], 2)
    run = make_run(make_matrix(BEAVER[:2]))
    plots = draw_all(Results(run, (several[0], once), rounds=(*several, once)), tmp_path)
    plot = plots[-1]
    assert plot.title == "Spread of the rounds"
    assert plot.caption.endswith("Left out for lack of data: #2.")
    [row] = json.loads((tmp_path / "rounds.json").read_text())["cases"]
    assert row["generation_s"] == {"1": 80.0, "2": 81.0, "3": 84.0}
    alone = draw_all(Results(run, (once,)), tmp_path / "alone", draw=False)
    assert "Spread of the rounds" not in [plot.title for plot in alone]


def test_the_dots_of_a_case_lie_around_its_median() -> None:
    figure = rounds.draw(records_of(1), {BEAVER[0].name: {1: 9.0, 2: 10.0, 3: 12.0}})
    assert list(figure.axes[0].lines[-1].get_xdata()) == pytest.approx([-10.0, 0.0, 20.0])
