from __future__ import annotations

import re
from html import unescape

import pytest

from ltxbench.matrix import Case, Section
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.work import transformer_facts
from ltxbench.report.build import build
from ltxbench.report.page import Media, Still
from ltxbench.report.render import render
from ltxbench.report.results import Results
from ltxbench.run.records import CaseRecord, MemoryRecord, Outcome, Schedule, Times
from tests.report import golden_page, markdown
from tests.report.runs import BEAVER, GIB, make_matrix, make_record, make_run, many


def page_of(records: list[CaseRecord], **changes: object) -> str:
    matrix = make_matrix([record.case for record in records], **changes)
    return render(build(Results(make_run(matrix), tuple(records)), {}, []))


def beaver() -> list[CaseRecord]:
    return [make_record(case, number) for number, case in enumerate(BEAVER, start=1)]


def rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without the line of dashes."""
    below = page.split(f"{heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines
    cells = [
        [unescape(cell.strip()).replace("\xa0", " ") for cell in line.strip("|").split("|")]
        for line in lines[0].splitlines()
    ]
    return [cells[0], *cells[2:]]


def performance(page: str) -> list[list[str]]:
    return rows(page, "## Performance")[1:]


def timed(record: CaseRecord, generation_s: float | None, mean_gib: float | None = 20) -> CaseRecord:
    memory = MemoryRecord(mlx_peak_bytes=50 * GIB, mlx_mean_denoising_bytes=mean_gib and int(mean_gib * GIB))
    return record.model_copy(update={"times": Times(generation_s=generation_s), "memory": memory})


def test_the_page_is_the_stored_one() -> None:
    assert golden_page.page() == golden_page.GOLDEN.read_text(encoding="utf-8"), (
        "the page changed; if it should, run python -m tests.report.update_golden"
    )


def test_the_performance_table_has_the_published_columns() -> None:
    assert rows(page_of(beaver()), "## Performance")[0] == [
        "#", "Configuration", "Model", "Steps", "CFG", "Resolution", "Time", "Peak memory", "Mean memory", "Trust",
    ]  # fmt: skip


def test_two_stages_show_both_step_counts_and_sizes() -> None:
    row = performance(page_of(beaver()))[5]
    assert row[2:6] == ["dev + distilled LoRA", "8+3", "1.0", "384x256 → 768x512"]


def test_the_lowest_time_and_memory_are_bold_and_nothing_else_is() -> None:
    table = performance(page_of(beaver()))
    bold = {(row[0], place) for row in table for place, cell in enumerate(row) if "**" in cell}
    assert bold == {("4", 6), ("1", 7), ("2", 7), ("8", 8)}


def test_figures_that_read_the_same_are_bold_together() -> None:
    records = [timed(record, s) for record, s in zip(beaver()[:3], (78.01, 78.02, 90.0), strict=True)]
    assert [row[6] for row in performance(page_of(records))] == ["**78.0 s**", "**78.0 s**", "90.0 s"]


def test_a_failed_case_stays_in_the_table_with_its_outcome_and_is_never_bold() -> None:
    records = beaver()
    records[3] = make_record(BEAVER[3], 4, outcome=Outcome.OUT_OF_MEMORY)
    page = page_of(records)
    assert performance(page)[3][6:] == ["out of memory", "–", "–", "✗ INVALID · not finished"]
    assert "1 case of 8 did not finish: #4." in page
    assert "**out of memory during denoising, stage 1**: the process was killed by signal 9" in page
    assert "last words" in page


def test_a_case_that_was_not_reached_is_told() -> None:
    matrix = make_matrix(BEAVER[:3])
    page = render(build(Results(make_run(matrix), (make_record(BEAVER[0], 1),)), {}, []))
    assert [row[6] for row in performance(page)] == ["**79.4 s**", "not run", "not run"]
    assert "2 cases of 3 did not finish: #2 and #3." in page


def test_cases_that_were_not_asked_for_are_left_out() -> None:
    run = make_run(make_matrix(BEAVER[:3])).model_copy(update={"selected": ("distilled",)})
    page = render(build(Results(run, (make_record(BEAVER[0], 1),)), {}, []))
    assert len(performance(page)) == 1
    assert "did not finish" not in page


def test_what_was_not_measured_is_a_dash_and_breaks_nothing() -> None:
    bare = make_record(BEAVER[0], 1).model_copy(
        update={"times": Times(), "memory": MemoryRecord(), "phases": (), "steps": (), "facts": {}}
    )
    page = page_of([bare])
    assert performance(page)[0][6:9] == ["–", "–", "–"]
    assert "None" not in page


def test_a_run_in_which_everything_failed_recommends_nothing() -> None:
    page = page_of([make_record(case, n, outcome=Outcome.TIMEOUT) for n, case in enumerate(BEAVER[:2], 1)])
    assert "**Nothing to recommend**: no case finished without a warning." in page
    assert "No case finished." in page


def test_a_case_with_a_warning_is_not_recommended_even_if_it_is_fastest() -> None:
    records = [timed(record, s) for record, s in zip(beaver()[:5], (80, 90, 100, 70, 10), strict=True)]
    page = page_of(records)
    assert "- **Fastest**: #4 Distilled + Upscaler (1 m 10 s)." in page or "#4 Distilled + Upscaler (70.0 s)" in page
    assert "- **Not considered**: &#35;5" not in page
    assert "- **Not considered**: #5 (marked with a warning)." in page
    assert "**10.0 s**" in performance(page)[4][6]


def test_one_case_that_is_best_at_everything_is_named_once() -> None:
    records = [timed(record, s, s / 4) for record, s in zip(beaver()[:3], (60, 70, 80), strict=True)]
    page = page_of(records)
    assert "- **Fastest and lowest mean memory**: #1 Distilled (60.0 s, 15.0 GiB)." in page
    assert "- **Lowest peak memory**: the same for all (50.0 GiB)." in page


def test_the_fastest_case_is_named_for_every_size_of_memory() -> None:
    records = [
        record.model_copy(
            update={"times": Times(generation_s=s), "memory": MemoryRecord(mlx_peak_bytes=int(peak * GIB))}
        )
        for record, s, peak in zip(beaver()[:3], (90.0, 70.0, 80.0), (20, 48.5, 48), strict=True)
    ]
    assert (
        "- **Fastest that fits in**: 16 GiB: none; 24 to 32 GiB: #1 Distilled (90.0 s); 48 GiB: #3 Dev + LoRA "
        "(80.0 s); 64 GiB or more: #2 Dev (70.0 s)."
    ) in page_of(records)


def test_a_quantized_case_is_set_beside_its_twin() -> None:
    page = page_of(beaver())
    table = {row[0]: row[1:] for row in rows(page, "the same configuration in bf16:\n")[1:]}
    assert rows(page, "the same configuration in bf16:\n")[0] == [
        *("Figure", "bf16 (#1)", "qint8 (#8)", "Difference", "Answer")
    ]
    assert table["Mean memory while denoising"] == ["27.0 GiB", "15.0 GiB", "−44%", ""]
    assert table["Generation"][3] == "inconclusive"
    assert "too few rounds" in page.split("the same configuration in bf16")[1]


def test_a_twin_that_failed_is_compared_with_nothing() -> None:
    records = beaver()
    records[0] = make_record(BEAVER[0], 1, outcome=Outcome.FAILED)
    assert "the same configuration in bf16" not in page_of(records)


def test_every_step_is_listed() -> None:
    page = page_of(beaver())
    for record in beaver():
        section = page.split(f'<a id="case-{record.case.name}">')[1].split('<a id="case-')[0]
        assert len(re.findall(r"^|\s{2}Step +\d+  σ", section)) >= len(record.steps)
        assert set(map(int, re.findall(r"Step +(\d+)  σ", section))) == {step.index for step in record.steps}


def test_the_arithmetic_is_set_against_the_machines_own_rate() -> None:
    table = rows(page_of(beaver()), "### Arithmetic")
    assert table[0] == [
        *("#", "Configuration", "TFLOP a forward", "TFLOP a step", "TFLOP in all", "TFLOP/s", "Share of matmul rate")
    ]
    dev, two_stage = table[2], table[6]
    # 37.73 TFLOP a forward, two a step of about 17.2 s; 40 steps and two texts of 3.365; 14.2 TFLOP/s are the rate.
    assert dev[2:] == ["37.7", "75.5", "3,025", "4.39", "31%"]
    assert two_stage[2] == "9.08 + 37.7"
    assert two_stage[4] == "193"


def test_without_the_machines_rate_no_share_is_shown() -> None:
    records = beaver()
    run = make_run(make_matrix(BEAVER)).model_copy(update={"matmul": None})
    page = render(build(Results(run, tuple(records)), {}, []))
    assert rows(page, "### Arithmetic")[0][-1] == "TFLOP/s"
    assert "matmul rate" not in page.lower()


def test_without_stated_work_there_is_no_arithmetic() -> None:
    records = [record.model_copy(update={"facts": {"dtype": "bfloat16"}}) for record in beaver()]
    assert "Arithmetic" not in page_of(records)


def test_a_stage_of_one_step_has_work_and_no_rate() -> None:
    record = make_record(Case(name="one", title="One", steps=1), 1)
    assert rows(page_of([record]), "### Arithmetic")[1][2:] == ["37.7", "37.7", "41.1", "–", "–"]


def test_a_small_model_is_counted_in_a_smaller_unit() -> None:
    small = TransformerConfig(num_attention_heads=1, attention_head_dim=64, num_layers=2, caption_channels=128)
    record = make_record(BEAVER[0], 1)
    record = record.model_copy(update={"facts": transformer_facts(small, record.case, 1024)})
    table = rows(page_of([record]), "### Arithmetic")
    assert table[0][2:6] == ["GFLOP a forward", "GFLOP a step", "GFLOP in all", "MFLOP/s"]
    assert table[1][2] == "2.42"


def test_each_time_is_defined_once() -> None:
    page = page_of(beaver())
    for words in ("text encoding + denoising + upscaling", "encoding the mp4", "interpreter and imports included"):
        assert page.count(words) == 1


def test_synthetic_weights_are_said_at_the_top_and_beside_the_pictures() -> None:
    record = beaver()[0]
    media = {record.case.name: Media("run/v.mp4", (Still(12, "frames/v.png"),))}
    for synthetic in (True, False):
        run = make_run(make_matrix([record.case]), synthetic=synthetic)
        page = render(build(Results(run, (record,)), media, []))
        assert ("> [!IMPORTANT]" in page.split("## ")[0]) is synthetic
        assert page.count("Synthetic weights: the pictures mean nothing.") == (2 if synthetic else 0)


def test_a_note_names_its_case() -> None:
    assert "> **Note on #8**: Less memory while denoising, more while loading." in page_of(beaver())


OWN_TAGS = {
    *("a", "b", "blockquote", "br", "code", "details", "em", "h1", "h2", "h3", "hr", "img", "li", "p", "pre"),
    *("strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
HOSTILE = 'a|b <script>alert(1)</script> `tick` \n\n# h ](http://x) " onload=x ![i](j) <!--'


def test_no_words_of_a_stranger_can_change_the_page() -> None:
    case = Case(name="x", title=HOSTILE, group="g", summary=HOSTILE, warning=HOSTILE, notes=(HOSTILE,))
    record = make_record(case, 1, outcome=Outcome.FAILED)
    record = record.model_copy(
        update={
            "facts": {"fact": HOSTILE, HOSTILE: 1},
            "failure": record.failure
            and record.failure.model_copy(update={"message": HOSTILE, "output_tail": "```\n" + HOSTILE}),
        }
    )
    ok = make_record(case.model_copy(update={"name": "y"}), 2)
    media = {"y": Media("run/y.mp4", (Still(12, "frames/y.png"),), HOSTILE)}
    matrix = make_matrix(
        [case, ok.case],
        title=HOSTILE,
        prompt=HOSTILE,
        warnings=(HOSTILE,),
        sections=(Section(title=HOSTILE, body=HOSTILE),),
    )
    run = make_run(matrix).model_copy(update={"conditioning": HOSTILE})
    page = render(build(Results(run, (record, ok)), media, []))
    rendered = markdown.html(page)
    seen = markdown.Elements(rendered)
    assert seen.tags <= OWN_TAGS
    assert seen.attributes <= {"href", "src", "alt", "width", "align", "id", "style", "class"}
    assert {target for target in seen.targets if not target.startswith("#")} <= {
        "run/", "run/y.mp4", "frames/y.png", "http://x", "j",  # the last two from the author's own section
    }  # fmt: skip
    assert seen.count["h1"] == 2  # the page's title, and the heading in the author's own section
    assert {len(set(table)) for table in markdown.tables(page)} == {1}


@pytest.mark.parametrize("count", [1, 8, 40])
def test_every_line_of_a_table_has_as_many_cells(count: int) -> None:
    page = page_of([make_record(case, number) for number, case in enumerate(many(count), start=1)])
    tables = markdown.tables(page)
    assert len(tables) >= 3 + count
    assert all(len(set(table)) == 1 for table in tables)


def test_every_anchor_is_defined() -> None:
    linked, defined = markdown.anchors(page_of(beaver()))
    assert "case-distilled" in linked
    assert linked - defined - {"videos", "plots"} == set()


def test_settings_that_differ_between_cases_are_told_with_the_case() -> None:
    cases = [BEAVER[0], BEAVER[0].model_copy(update={"name": "other", "seed": 7, "tiling": "none"})]
    page = page_of([make_record(case, number) for number, case in enumerate(cases, start=1)])
    assert "All videos: 25 frames, 24 fps, prompt enhanced" in page
    assert "768x512, seed 42." in page


def test_each_case_is_once_in_the_videos_and_once_in_the_stills_three_to_a_row() -> None:
    records = [make_record(case, number) for number, case in enumerate(many(13), start=1)]
    media = {
        record.case.name: Media(f"run/{record.case.name}.mp4", (Still(12, f"frames/{record.case.name}.png"),))
        for record in records
    }
    matrix = make_matrix([record.case for record in records])
    page = render(build(Results(make_run(matrix), tuple(records)), media, []))
    videos, stills = page.split("## Videos\n")[1].split("## Why")[0].split("### Stills of frame 12\n")
    for name in media:
        assert videos.count(f'src="frames/{name}.png"') == 1
        assert stills.count(f'src="frames/{name}.png"') == 1
    assert max(row.count("<td") for row in videos.split("<tr>")) == 3
    assert [group for group in ("Single-stage", "Two-stage", "High resolution") if f"### {group}" in videos] == [
        "Single-stage",
        "Two-stage",
        "High resolution",
    ]


def test_a_warning_is_a_note_on_its_case_and_equal_ones_are_told_once() -> None:
    cases = [case.model_copy(update={"warning": "Too hot.", "notes": ("Mind it.",)}) for case in BEAVER[:4]]
    matrix = make_matrix(cases).model_copy(update={"warnings": (f"{cases[0].name}: hot", "general")})
    records = tuple(make_record(case, number) for number, case in enumerate(cases[:3], start=1))
    page = render(build(Results(make_run(matrix), records), {}, []))
    assert page.count("> **Note on #1–#4**: ⚠ Too hot.") == page.count("> **Note on #1–#4**: Mind it.") == 1
    assert "> **Note on the matrix**: general" in page
    assert ": hot" not in page


def test_one_frame_and_one_step_are_singular() -> None:
    case = BEAVER[1].model_copy(update={"frames": 1, "steps": 1})
    results = Results(make_run(make_matrix([case])), (golden_page.with_video(make_record(case, 1)),))
    page = render(build(results, {case.name: Media("run/dev.mp4")}, []))
    assert "All videos: 1 frame, " in page
    assert "768x512, 1 frame at 24 fps" in page
    assert "dev, 1 step, CFG" in page


def test_the_commands_of_random_weights_from_disk_run_as_they_are_written() -> None:
    record = make_record(BEAVER[0], 1)
    run = make_run(make_matrix([record.case]))
    weights = run.weights.model_copy(update={"kind": "random:small, from disk", "synthetic": True})
    page = render(build(Results(run.model_copy(update={"weights": weights}), (record,)), {}, []))
    assert "--case distilled --weights random:small --from-disk\n" in page
    assert "WEIGHTS=random:small ARGS=--from-disk\n" in page


@pytest.mark.parametrize(
    ("schedule", "arguments"),
    [
        (Schedule(), ""),
        (Schedule(repeats=4, order_seed=0, check=True), " ARGS='--repeats 4 --check'"),
        (Schedule(order_seed=0), " ARGS='--order-seed 0'"),
        (Schedule(repeats=2, order_seed=7, cooldown="60"), " ARGS='--repeats 2 --order-seed 7 --cooldown 60'"),
    ],
)
def test_the_command_asks_for_the_same_rounds(schedule: Schedule, arguments: str) -> None:
    record = make_record(BEAVER[0], 1)
    run = make_run(make_matrix([record.case])).model_copy(update={"schedule": schedule})
    page = render(build(Results(run, (record,)), {}, []))
    assert f"make bench MATRIX={run.matrix.name}{arguments}\n" in page


def test_a_case_without_a_second_stage_defines_none() -> None:
    assert "Stage 1, stage 2" not in page_of([make_record(BEAVER[0], 1)])


def test_a_matrix_outside_of_the_folder_is_run_by_its_file() -> None:
    record = make_record(BEAVER[0], 1)
    matrix = make_matrix([record.case]).model_copy(update={"source": "my files/odd.yaml"})
    page = render(build(Results(make_run(matrix), (record,)), {}, []))
    assert "make bench MATRIX='my files/odd.yaml'\n" in page
    assert f"make report MATRIX={matrix.name}\n" in page
