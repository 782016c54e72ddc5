"""A published page with a summary, eight profiles and a comparison: what becomes of its figures and its claims."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ltxbench.cli.app import app
from ltxbench.errors import ResultError, UsageError
from ltxbench.importing import import_published
from ltxbench.matrix.case import LoraUse, Model, Quantization
from ltxbench.run import store
from ltxbench.run.records import Claim, Outcome, Phase
from ltxbench.run.store import RunFolder
from ltxbench.trust.reasons import Code
from ltxbench.trust.verdict import run_verdict

PAGE = Path(__file__).parent / "fixtures" / "beaver-dam.md"
MIB = 1 << 20


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    made = import_published([PAGE], tmp_path_factory.mktemp("runs"))
    return store.load(made.path)


@pytest.fixture
def edited(tmp_path):
    """The page with replacements."""

    def make(*changes: tuple[str, str]) -> RunFolder:
        text = PAGE.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "page.md").write_text(text)
        return import_published([tmp_path / "page.md"], tmp_path / "runs")

    return make


def claim(run: RunFolder, what: str, words: str) -> Claim:
    (found,) = [each for each in run.record.imported.claims if each.what == what and words in each.text]
    return found


def test_the_eight_cases_are_what_their_commands_say(run):
    cases = {record.case.name: record.case for record in run.cases}
    assert list(cases) == [
        "distilled", "dev", "dev-lora", "distilled-upscaler",
        "dev-upscaler", "two-stage", "dev-1024", "distilled-qint8",
    ]  # fmt: skip
    assert (cases["dev"].model, cases["dev"].steps, cases["dev"].guidance) == (Model.DEV, 40, 4.0)
    assert (cases["dev-lora"].model, cases["dev-lora"].distilled_lora) == (Model.DEV, LoraUse.ALL)
    assert cases["two-stage"].two_stage
    assert cases["two-stage"].steps_label == "8+3"
    assert (cases["dev-1024"].width, cases["dev-1024"].height) == (1024, 576)
    assert cases["distilled-qint8"].quantization is Quantization.QINT8
    assert {(case.frames, case.seed) for case in cases.values()} == {(25, 42)}
    assert all(record.outcome is Outcome.OK for record in run.cases)


def test_the_run_is_named_apart_from_a_matrix_measured_here(run):
    assert run.record.matrix.name == "beaver-dam-published"
    assert run.record.imported.source_sha256 == run.record.matrix.source_sha256
    assert run.record.imported.source == run.record.matrix.source == "beaver-dam.md"


def test_every_published_figure_is_kept_verbatim(run):
    published = run.record.imported.as_published
    assert (
        published["distilled"]
        | {
            "time (table)": "113s",
            "pipeline total": "84.3s",
            "step 5": "12.5s",
            "peak GPU memory": "52943 MB",
            "mean memory (table)": "27 GB",
        }
        == published["distilled"]
    )
    assert published["distilled-upscaler"]["steps 2-7, each"] == "~2.4s"
    assert published["dev-1024"]["denoising"] == "~1400s"
    assert published["dev-upscaler"]["average per step, stage 1"] == "~4.8s"
    text = PAGE.read_text()
    figures = [value for name, case in published.items() for key, value in case.items() if key != "command"]
    assert len(figures) > 150
    assert all(figure in text for figure in figures)


def test_only_steps_that_are_stated_one_by_one_are_measurements(run):
    records = {record.case.name: record for record in run.cases}
    assert [step.index for step in records["distilled-upscaler"].steps] == [0, 1, 8, 9, 10]
    assert [(step.index, step.stage) for step in records["dev-upscaler"].steps] == [
        (0, 1), (39, 1), (40, 2), (41, 2), (42, 2),
    ]  # fmt: skip
    assert records["dev-1024"].steps == ()
    assert any("5 of 11 steps are stated one by one" in note for note in run.record.imported.notes)
    assert [step.step_s for step in records["dev"].steps][::10] == [25.3, 16.7, 19.5, 18.2]


def test_the_stages_share_the_denoising_time(run):
    record = next(record for record in run.cases if record.case.name == "distilled-upscaler")
    phases = {phase.phase: phase.duration_s for phase in record.phases}
    assert phases[Phase.DENOISE_2] == pytest.approx(23.8)
    assert phases[Phase.DENOISE_1] == pytest.approx(44.4 - 23.8)


def test_a_total_without_text_encoding_is_no_generation_time(run):
    times = {record.case.name: record.times.generation_s for record in run.cases}
    assert times["distilled"] is None
    assert times["dev-1024"] == 1455.0, "more than its stated parts: it holds something else"
    assert times["distilled-qint8"] == 98.9


def test_what_the_page_does_not_state_is_absent(run):
    machine = run.record.machine
    assert (machine.chip, machine.memory_bytes) == ("Apple M3 Max", 96 << 30)
    assert (machine.os, machine.cpu_cores, machine.packages) == ("unknown", None, {})
    assert run.record.conditioning is None
    assert run.record.weights.digest is None
    assert all(step.sigma is None for record in run.cases for step in record.steps)


def test_case_1_drifts_case_3_does_not_and_each_is_a_single_sample(run):
    verdict = run_verdict(run)
    assert verdict.of("distilled").has(Code.DRIFTING)
    assert not verdict.of("dev-lora").has(Code.DRIFTING)
    assert all(verdict.of(record.case.name).has(Code.SINGLE_SAMPLE) for record in run.cases)


def test_the_conditioning_is_marked_as_not_shared(run):
    assert run.record.conditioning_shared is False
    assert any(reason.code is Code.CONDITIONING for reason in run_verdict(run).reasons)


@pytest.mark.parametrize("words", ["Average step time", "17% faster steps"])
def test_the_claim_of_17_percent_is_qualified_with_the_figure_against_case_3(run, words):
    found = claim(run, "average step", words)
    assert (found.old, found.new, found.stated) == ("distilled", "distilled-qint8", -0.17)
    assert found.recomputed == pytest.approx(-0.17)
    assert found.qualified
    assert "#3 Dev + LoRA does the same work as #1" in found.qualification
    assert "8.4s and 8.3s, 1.2% less" in found.qualification
    assert "#1 drifts" in found.qualification


def test_a_claim_that_its_data_carry_stands(run):
    found = claim(run, "mean memory while denoising", "15 GB vs 27 GB")
    assert (found.old, found.new) == ("distilled", "distilled-qint8")
    assert found.recomputed == pytest.approx(15306 / 26962 - 1)
    assert not found.qualified


def test_a_difference_that_its_own_figures_do_not_give_is_corrected(run):
    found = claim(run, "peak memory", "Peak RAM")
    assert found.stated == 0.17
    assert found.recomputed == pytest.approx(60531 / 52943 - 1)
    assert "14% more, not 17% more" in found.qualification


def test_totals_of_different_work_are_compared_by_what_they_share(run):
    found = claim(run, "pipeline total", "Total pipeline time")
    assert "28.5s of text encoding is stated for #8 alone" in found.qualification
    assert "84.3 s and 70.3 s: 17% less" in found.qualification


def steps(*times: float) -> str:
    return "".join(f"  Step {index}: {time_s:.1f}s\n" for index, time_s in enumerate(times))


THROTTLED = steps(8.3, 8.4, 8.7, 8.9, 11.6, 12.5, 11.5, 10.2)
QINT8 = steps(8.1, 7.7, 8.1, 8.2, 8.4, 8.5, 8.6, 8.6)


def test_without_drift_and_without_another_case_of_the_same_work_the_claim_stands(edited):
    run = edited(
        (THROTTLED, steps(*[10.0] * 8)),
        (QINT8, steps(*[8.3] * 8)),
        ("--distilled-lora --enhance-prompt", "--distilled-lora --guidance 3 --enhance-prompt"),
    )
    assert not claim(run, "average step", "17% faster steps").qualified


def test_a_steady_case_of_the_same_work_qualifies_even_without_drift(edited):
    """No test calls eight steps of 10 s throttled; that another case takes 8.4 s for the same work does."""
    found = claim(
        edited((THROTTLED, steps(*[10.0] * 8)), (QINT8, steps(*[8.3] * 8))), "average step", "17% faster steps"
    )
    assert found.qualified
    assert "1.2% less" in found.qualification
    assert "drifts" not in found.qualification


@pytest.mark.parametrize(("change", "note"), [
    ((" 67.5s", " 77.5s"), "add up to 67.6 s, denoising is given as 77.5s"),
    ((" 18.6s\nVAE", " 16.8s\nVAE"), "is 18.6 s a step, the average is given as 16.8s"),
    ((" 53.6s", " 63.6s"), "parts add up to 53.7 s, the total is given as 63.6s"),
    (("(40 steps):                 745.5s", "(39 steps):                 745.5s"), "39 steps were profiled"),
])  # fmt: skip
def test_figures_that_disagree_with_each_other_are_noted(edited, run, change, note):
    assert any(note in said for said in edited(change).record.imported.notes)
    assert not any(note in said for said in run.record.imported.notes)


def test_the_published_figures_are_compared_with_what_they_must_add_up_to(run):
    notes = " ".join(run.record.imported.notes)
    assert "the table gives 113s, the profile's total is 84.3s" in notes
    assert "from 4.6s (#6) to 49.1s (#2)" in notes
    assert "1,000 of the program's MB" in notes


SLOWING, PACKED, EVEN = (7.0, 7.0, 7.4, 8.0, 8.8, 9.5, 10.1, 10.4), (6.0, *[5.9] * 7), (8.0, *[7.1] * 7)
"""On average 8.5 s, 5.9 s and 7.2 s a step."""


@pytest.fixture
def invented(tmp_path):
    """Three cases of another page, and what it says of them: 1 slows down, 3 does the same work at a steady pace."""

    def section(title: str, options: str, times: tuple[float, ...], mean: int) -> str:
        return (
            f"## {title}\n\n```\nltx-video generate 'A cat' {options} -w 512 -h 512 -f 49\n```\n\n```\n"
            f"Denoising (8 steps): {sum(times):.1f}s\n{steps(*times)}  Average per step: {sum(times) / 8:.1f}s\n"
            f"Pipeline total: {sum(times) + 4:.1f}s\nMean GPU memory (denoising): {mean} MB\n```\n\n"
        )

    def make(said: str) -> RunFolder:
        text = (
            "# Cat\n\n"
            + section("1. Distilled", "-m distilled", SLOWING, 26962)
            + section("2. Int4", "-m distilled --transformer-quant int4", PACKED, 12000)
            + section("3. Fused", "--distilled-lora", EVEN, 26962)
        )
        (tmp_path / "page.md").write_text(f"{text}## Findings\n\n{said}\n")
        return import_published([tmp_path / "page.md"], tmp_path / "runs")

    return make


@pytest.mark.parametrize(("said", "stated"), [
    ("- 31% faster per step (5.9s vs 8.5s)", -0.31),
    ("- 31% faster steps (5.9 s/step vs 8.5 s/step)", -0.31),
    ("Step time drops by 31% (from 8.5s to 5.9s).", -0.31),
    ("Time per step: 8.5s -> 5.9s (−30.6 %).", -0.306),
    ("Int4 is 31% faster per step than Distilled.", -0.31),
    ("Int4 (#2) takes 31% less time per step than Distilled (#1).", -0.31),
    ("Compared to #1, #2 has 31% shorter steps.", -0.31),
    ("Int4 is 1.45x faster per step than Distilled.", 1 / 1.45 - 1),
    ("A 1.4× speedup per step (#2 vs #1).", 1 / 1.4 - 1),
    ("| Metric | Distilled | Int4 | Change |\n|---|---|---|---|\n| Average step | 8.5s | 5.9s | -31% |", -0.31),
    ("| Metric | Int4 (#2) | (#1) | Change |\n|---|---|---|---|\n| Average step | 5.9s | 8.5s | -31% |", -0.31),
    ("| | #1 | #2 | Δ |\n|---|---|---|---|\n| step time in s | 8.5 | 5.9 | −31 % |", -0.31),
])  # fmt: skip
def test_a_claim_is_read_in_many_forms_and_held_against_the_steady_case(invented, said, stated):
    (found,) = invented(said).record.imported.claims
    assert (found.old, found.new, found.what) == ("distilled", "int4", "average step")
    assert found.stated == pytest.approx(stated)
    assert found.recomputed == pytest.approx(5.9 / 8.5 - 1, abs=0.001)
    assert "#1 drifts" in found.qualification
    assert "7.2s and 5.9s, 18% less" in found.qualification
    assert "own figures give" not in found.qualification


def test_a_rate_that_is_45_percent_higher_is_not_taken_for_a_wrong_time(invented):
    (found,) = invented("Int4 is 45% faster per step (5.9s vs 8.5s).").record.imported.claims
    assert "own figures give" not in found.qualification
    assert "45% is the change of the rate" in found.qualification


def test_a_percentage_that_fits_neither_time_nor_rate_is_corrected(invented):
    (found,) = invented("Int4 is 60% faster per step (5.9s vs 8.5s).").record.imported.claims
    assert "own figures give 31% less, not 60% less" in found.qualification


def test_two_claims_of_one_sentence_are_of_their_own_figures(invented):
    said = "Int4 is 31% faster per step than Distilled (8.5s to 5.9s), and uses 55% less memory (11.7 GB vs 26.3 GB)."
    time, memory = invented(said).record.imported.claims
    assert (time.what, memory.what) == ("average step", "mean memory while denoising")
    assert (memory.old, memory.new, memory.stated, memory.qualified) == ("distilled", "int4", -0.55, False)


@pytest.mark.parametrize("said", [
    "Steps take 10-20% less time.", "Step time differs by 31%.", "A 512x512 step is 3x3 tiles.",
    "Int4 is 1x faster per step.", "Steps are 100% less.",
])  # fmt: skip
def test_what_states_no_one_change_is_no_claim(invented, said):
    assert invented(said).record.imported.claims == ()


def test_a_claim_whose_cases_are_not_told_says_so(invented):
    (found,) = invented("Distilled and Int4 and Fused: 31% faster steps.").record.imported.claims
    assert (found.old, found.new) == (None, None)
    assert "cannot be told" in found.qualification


def test_two_profiles_under_one_heading_are_two_cases(tmp_path):
    def profile(*times: float) -> str:
        return f"```\nDenoising ({len(times)} steps): {sum(times):.1f}s\n{steps(*times)}```\n\n"

    (tmp_path / "page.md").write_text(f"# Both\n\n{profile(2.0, 1.5)}{profile(3.0, 2.5)}")
    run = import_published([tmp_path / "page.md"], tmp_path / "runs")
    assert [[step.step_s for step in record.steps] for record in run.cases] == [[2.0, 1.5], [3.0, 2.5]]


def test_a_page_of_other_cases_without_profiles_is_read_from_its_table(tmp_path):
    (tmp_path / "page.md").write_text(
        "# Cat: two ways\n\n| Config | Time | Peak RAM |\n|---|---|---|\n"
        "| One | 1m 05s | 20 GB |\n| Two | ~70s | 21.5 GB |\n"
    )
    run = import_published([tmp_path / "page.md"], tmp_path / "runs")
    assert [record.case.name for record in run.cases] == ["one", "two"]
    assert run.record.imported.as_published["one"]["time (table)"] == "1m 05s"
    assert [record.times.generation_s for record in run.cases] == [None, None]
    assert run.cases[0].memory.mlx_peak_bytes == 20 << 30
    assert any("read as GB = 2^30" in note for note in run.record.imported.notes)


def test_a_page_without_cases_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("# A page\n\n```\ncode\n```\n")
    with pytest.raises(ResultError, match="holds no case"):
        import_published([tmp_path / "page.md"], tmp_path / "runs")


def test_a_name_that_leads_elsewhere_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot name a matrix"):
        import_published([PAGE], tmp_path, name="../x")


def test_the_command_stores_the_run_and_says_what_the_claims_are_worth(tmp_path):
    result = CliRunner().invoke(app, ["import", "published", str(PAGE), "--runs", str(tmp_path / "runs")])
    assert result.exit_code == 0, result.output
    assert "1.2% less" in result.output
    path = Path(result.output.strip().splitlines()[-1].removeprefix("Run:").strip())
    assert len(store.load(path).cases) == 8


def test_a_case_that_drifts_itself_is_no_reference(edited):
    steady = steps(9.7, 8.4, 8.4, 8.3, 8.4, 8.2, 8.1, 8.1)
    found = claim(edited((steady, steps(9.7, 7.4, 7.8, 8.3, 8.6, 8.9, 9.2, 9.6))), "average step", "17% faster steps")
    assert "#3" not in found.qualification
    assert found.qualified, "case 1 drifts all the same"


@pytest.mark.parametrize("words", ["**17% faster steps**", "**17% faster steps** (10.0s vs 8.3s)"])
def test_a_sentence_speaks_of_the_tables_cases_with_its_figures_in_any_order_or_none(edited, words):
    found = claim(edited(("**17% faster steps** (8.3s vs 10.0s)", words)), "average step", "17% faster steps")
    assert (found.old, found.new) == ("distilled", "distilled-qint8")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """The Markdown page of the run, entities undone."""
    folder = tmp_path_factory.mktemp("page")
    arguments = ["import", "published", str(PAGE), "--runs", str(folder / "runs")]
    result = CliRunner().invoke(app, [*arguments, "--report", "--reports", str(folder / "reports")])
    assert result.exit_code == 0, result.output
    return html.unescape((folder / "reports" / "beaver-dam-published" / "README.md").read_text()).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_the_page_marks_drift_single_samples_and_conditioning(page):
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert any('#case-distilled"' in row and "drifting" in row for row in rows)
    assert not any('#case-dev-lora"' in row and "drifting" in row for row in rows)
    assert "single sample" in page
    assert "The cases did not encode the same text" in page


def test_the_page_qualifies_the_claim_with_the_figure_against_case_3(page):
    line = next(line for line in page.splitlines() if "17% faster steps" in line)
    assert "#3 Dev + LoRA does the same work as #1" in line
    assert "8.4s and 8.3s, 1.2% less" in line


def test_the_page_keeps_every_published_figure(page, run):
    shown = page.replace("→", "->")
    published = run.record.imported.as_published
    missing = [
        value for case in published.values() for key, value in case.items() if key != "command" and value not in shown
    ]
    assert missing == []


def test_a_case_that_is_known_to_leave_noise_is_warned_of_without_a_note_in_the_source(run):
    warned = {record.number: record.case.warning for record in run.cases if record.case.warning}
    assert list(warned) == [5]
    assert "without the distilled LoRA" in warned[5]
