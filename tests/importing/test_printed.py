"""The printed output of the program: complete, cut off, abridged, and disfigured by what it went through."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import ResultError
from ltxbench.importing import import_published
from ltxbench.importing.page import parse_page
from ltxbench.importing.printed import is_printed, parse_printed
from ltxbench.importing.profile import parse_profile
from ltxbench.importing.sources import plain
from ltxbench.matrix.case import LoraUse, Model, Quantization
from ltxbench.run.records import CaseRecord, Outcome, Phase
from ltxbench.run.store import RunFolder
from tests.importing import logs

MIB = 1 << 20


@pytest.fixture
def imported(tmp_path):
    def run(*texts: str | bytes, names: tuple[str, ...] = ()) -> RunFolder:
        folder = tmp_path / "logs"
        folder.mkdir()
        for index, text in enumerate(texts):
            name = names[index] if names else f"case-{index}"
            (folder / f"{name}.log").write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_published([folder], tmp_path / "runs")

    return run


def only(run: RunFolder) -> CaseRecord:
    (record,) = run.cases
    return record


def test_a_complete_log_becomes_a_case_with_its_steps_phases_and_memory(imported):
    run = imported(logs.header() + logs.profile([2.0, 1.5, 1.6, 1.4]))
    record = only(run)
    case = record.case
    assert (case.name, case.width, case.height, case.frames, case.seed, case.steps) == ("fox", 512, 320, 33, 7, 4)
    assert run.record.matrix.prompt == logs.PROMPT
    assert [step.step_s for step in record.steps] == [2.0, 1.5, 1.6, 1.4]
    assert [step.index for step in record.steps] == [0, 1, 2, 3]
    phases = {phase.phase: phase.duration_s for phase in record.phases}
    assert phases == {Phase.LOAD: 15.7, Phase.ENCODE: 5.2, Phase.DENOISE_1: 6.5, Phase.DECODE: 4.1}
    assert record.times.generation_s == 15.8
    assert (record.times.load_s, record.times.wall_s) == (15.7, None)
    assert record.memory.mlx_peak_bytes == 52943 * MIB
    assert record.memory.mlx_mean_denoising_bytes == 27467 * MIB
    assert run.record.machine.chip == "unknown"
    assert run.record.machine.memory_bytes is None


def test_a_flat_list_of_steps_is_parted_into_the_two_stages(imported):
    steps = [3.64, 2.47, 2.36, 8.45, 7.65, 7.7]
    text = logs.header(two_stage=True) + logs.denoising([steps[:3], steps[3:]]) + logs.profile(steps)
    record = only(imported(text))
    assert [step.stage for step in record.steps] == [1, 1, 1, 2, 2, 2]
    assert [step.sigma for step in record.steps[:3]] == [1.0, 0.6667, 0.3333]
    phases = {phase.phase: phase.duration_s for phase in record.phases}
    assert phases[Phase.DENOISE_2] == pytest.approx(8.4 + 7.7 + 7.7, abs=0.11)
    assert phases[Phase.UPSCALE] == 0.4
    assert record.case.steps == 3


FAST, SLOW = [9.0, 8.0, 8.0, 8.1], [9.5, 9.0, 9.0, 9.1]


@pytest.mark.parametrize(
    "between", ["", "\n", "\n$ ltx-video generate 'a fox' -m dev --profile\n", "+ swift run ltx-video generate 'x'\n"]
)
def test_logs_in_one_file_are_a_case_each(imported, between):
    run = imported(logs.header() + logs.profile(FAST) + between + logs.header(model="dev") + logs.profile(SLOW))
    assert [[step.step_s for step in record.steps] for record in run.cases] == [FAST, SLOW]
    assert [record.case.model for record in run.cases] == [Model.DISTILLED, Model.DEV]


@pytest.mark.parametrize("encoding", [5.2, None])
def test_profiles_alone_one_after_the_other_are_a_case_each(imported, encoding):
    bare = [logs.profile(steps, encoding=encoding).partition("--- Profiling ---\n")[2] for steps in (FAST, SLOW)]
    bare[1] = f"Transformer quantization: 7.1s\n{bare[1]}"
    assert [[step.step_s for step in record.steps] for record in imported("".join(bare)).cases] == [FAST, SLOW]


def test_a_log_that_breaks_off_before_another_is_a_failed_case_of_its_own(imported):
    first = logs.header() + logs.denoising([[9.0, 8.0, 8.0]], unfinished=True) + "Error: metal::malloc failed\n"
    run = imported(first + logs.header(model="dev") + logs.profile(SLOW))
    assert [record.outcome for record in run.cases] == [Outcome.OUT_OF_MEMORY, Outcome.OK]
    assert run.cases[1].memory.mlx_peak_bytes == 52943 * MIB


def test_a_log_that_names_the_program_in_an_error_is_one_case(imported):
    log = logs.header() + "Error: see 'ltx-video generate --help'\nUsage: ltx-video generate <prompt>\n"
    assert only(imported(log)).outcome is Outcome.FAILED


def test_debug_lines_are_no_steps(imported):
    text = logs.header() + logs.denoising([[9.99, 9.98]]) + logs.profile([1.0, 1.1])
    assert [step.step_s for step in only(imported(text)).steps] == [1.0, 1.1]


@pytest.mark.parametrize("disfigure", [
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: text.replace("Step", "\x1b[1;32mStep\x1b[0m").encode(),
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.encode("utf-16"),
    lambda text: "".join(f"2026-02-01T12:00:00.123Z {line}\n" for line in text.splitlines()).encode(),
    lambda text: text.replace("Generating", "\rdownloading 1%\rdownloading 2%\rGenerating").encode(),
    lambda text: text.encode() + b"\xff\xfe\x00 torn",
], ids=["windows", "colours", "mark", "utf-16", "times", "overwritten", "torn"])  # fmt: skip
def test_what_terminals_and_editors_do_to_a_log_changes_nothing(imported, disfigure):
    record = only(imported(disfigure(logs.header() + logs.profile([2.0, 1.5]))))
    assert [step.step_s for step in record.steps] == [2.0, 1.5]
    assert record.times.generation_s == 12.8
    assert record.case.frames == 33


def test_a_log_that_ends_in_the_middle_is_a_failed_case_with_what_was_reached(imported):
    text = (
        logs.header(two_stage=True)
        + logs.enhancement("A fox.")
        + logs.denoising([[3.6, 2.5], [8.4, 7.7, 7.6]], unfinished=True)
    )
    record = only(imported(text))
    assert record.outcome is Outcome.FAILED
    assert record.failure is not None
    assert record.failure.phase is Phase.DENOISE_2
    assert "at step 3 of 3 of stage 2" in record.failure.message
    assert [step.step_s for step in record.steps] == [3.6, 2.5, 8.4, 7.7]
    assert record.times.generation_s is None


@pytest.mark.parametrize(("last", "outcome"), [
    ("[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPU)", Outcome.OUT_OF_MEMORY),
    ("Command buffer execution failed: Impacting Interactivity (0000000e)", Outcome.WATCHDOG),
    ("zsh: killed     ltx-video generate a", Outcome.SIGNAL),
    ("^C", Outcome.INTERRUPTED),
    ("Error: something else", Outcome.FAILED),
])  # fmt: skip
def test_the_last_lines_tell_how_it_ended(imported, last, outcome):
    record = only(imported(logs.header() + logs.denoising([[3.6, 2.5]], unfinished=True) + last + "\n"))
    assert record.outcome is outcome
    assert record.failure is not None
    assert last in record.failure.output_tail


def test_absent_lines_leave_their_figures_absent(imported):
    run = imported(logs.header() + logs.profile([2.0, 1.5], encoding=None, decoding=None).split("--- Memory")[0])
    record = only(run)
    assert {phase.phase for phase in record.phases} == {Phase.LOAD, Phase.DENOISE_1}
    assert record.times.generation_s is None, "a total without text encoding is no generation time"
    assert record.memory.mlx_peak_bytes is None


def test_the_precision_and_its_time_are_read_apart(imported):
    text = logs.header(quant="int4") + logs.profile([2.0, 1.5]).replace(
        "VAE Dec", "Transformer quantization:                7.1s (one-time, at load)\nVAE Dec"
    )
    record = only(imported(text))
    assert record.case.quantization is Quantization.INT4
    assert {phase.phase: phase.duration_s for phase in record.phases}[Phase.QUANTIZE] == 7.1


def test_logs_with_different_enhanced_texts_did_not_share_their_conditioning(imported):
    texts = [logs.header() + logs.enhancement(words) + logs.profile([1.0, 1.1]) for words in ("One fox.", "Two foxes.")]
    run = imported(*texts)
    assert run.record.conditioning_shared is False
    assert [record.case.name for record in run.cases] == ["fox", "case-1"]


def test_logs_with_one_enhanced_text_shared_it(imported):
    text = logs.header() + logs.enhancement("One fox.\nIt runs.") + logs.profile([1.0, 1.1])
    assert imported(text, text).record.conditioning_shared is True


def test_logs_without_enhancement_and_of_one_prompt_shared_it(imported):
    text = logs.header(enhance=False) + logs.profile([1.0, 1.1])
    run = imported(text, text)
    assert run.record.conditioning_shared is True
    assert run.record.conditioning == logs.PROMPT


def test_the_boxed_report_of_later_versions_is_read(imported):
    report = """
LTX-2.3 Video Generation (Two-Stage Distilled)
Prompt: a fox
Output: fox.mp4
Resolution: 768x512 (stage 1: 384x256)
Frames: 121
Seed: 3

--- Summary ---
Generation time: 301.0s
╭──────────────╮
│   LTX-2.3 PROFILING REPORT    │
├──────────────┤
  PHASE TIMINGS
  ──────────────
  Text Encoding                  17.50s    5.8% █
  Denoising (stage 1)          2m 01.5s   40.0% ████
  Denoising (stage 2)          1m 40.0s   33.0% ████
  VAE Decode                    850.5ms    5.0% █
  TOTAL                        3m 59.9s  100.0%

  DENOISING STEP STATISTICS
  Steps: 11
  Average:   20.14s   Std:    3.20s
  MEMORY
  Peak MLX Active: 70771.5 MB
  Peak Process: 80000.0 MB
"""
    record = only(imported(report))
    phases = {phase.phase: phase.duration_s for phase in record.phases}
    assert phases[Phase.ENCODE] == 17.5
    assert phases[Phase.DECODE] == pytest.approx(0.8505)
    assert record.memory.mlx_peak_bytes == round(70771.5 * MIB)
    assert record.memory.footprint_peak_bytes == 80000 * MIB
    assert record.case.two_stage
    assert record.steps == ()


@pytest.mark.parametrize(("text", "seconds"), [
    ("2m 03s", 123.0), ("1h 02m 03s", 3723.0), ("1:23.5", 83.5), ("~1400s", 1400.0), ("1,455.5 s", 1455.5),
    ("8,3s", 8.3), ("450.2ms", 0.4502), ("≈ 2 min", 120.0), ("about 6s", 6.0),
])  # fmt: skip
def test_durations_are_read_in_every_form(text, seconds):
    found = parse_profile(f"VAE Decoding:   {text}").get("decoding")
    assert found is not None
    assert found.value == pytest.approx(seconds)
    assert found.text == text
    assert found.approximate is (not text[0].isdigit())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("52943 MB", 52943 * MIB),
        ("51.7 GB", round(51.7 * 1024) * MIB),
        ("51.5 GiB", round(51.5 * 1024) * MIB),
        ("1,024 MiB", 1024 * MIB),
    ],
)
def test_memory_is_read_in_every_unit(text, size):
    found = parse_profile(f"Peak GPU memory:      {text}").get("peak")
    assert found is not None
    assert found.value == pytest.approx(size, rel=1e-3)


def test_steps_are_read_in_columns_ranges_and_gaps():
    profile = parse_profile(
        "Denoising (43 steps): 242.9s\n  Step 0: 4.3s  ... Step 39: 5.4s   Step 40: 1m 02s\n  Step 1-7: ~2.2s each\n"
    )
    assert {index: step.value for index, step in profile.steps.items()} == {0: 4.3, 39: 5.4, 40: 62.0}
    assert [(part.first, part.last, part.each.text) for part in profile.ranges] == [(1, 7, "~2.2s")]
    assert profile.step_count == 43


def test_debug_lines_within_a_profile_are_passed_over():
    profile = parse_profile("Denoising (2 steps): 2s\n Step 0: 1.0s\n[LTX] Step 1: 9.9s\n[LTX] VAE Decoding: 9.9s\n")
    assert list(profile.steps) == [0]
    assert profile.get("decoding") is None


def test_a_second_stage_that_counts_from_zero_goes_on_counting():
    profile = parse_profile(
        "Denoising (5 steps): 9s\n Stage 1 (64x64, 3 steps):\n Step 0: 1s\n Step 1: 1s\n Step 2: 1s\n"
        " Stage 2 (128x128, 2 steps):\n Step 0: 3s\n Step 1: 3s\n"
    )
    assert sorted(profile.steps) == [0, 1, 2, 3, 4]
    assert [stage.first_step for stage in profile.stages] == [0, 3]


def test_a_precision_without_counterpart_is_refused_by_name(imported):
    with pytest.raises(ResultError, match="'nvfp4' is none of bf16, qint8, int4"):
        imported(logs.header(quant="nvfp4") + logs.profile([1.0, 1.1]))


def test_one_case_without_counterpart_leaves_the_others_and_is_named(imported):
    run = imported(logs.header() + logs.profile([1.0, 1.1]), logs.header(quant="nvfp4") + logs.profile([1.0, 1.1]))
    assert [record.case.name for record in run.cases] == ["fox"]
    assert any("nvfp4" in note for note in run.record.imported.notes)


def test_a_command_line_above_the_log_fills_in_what_the_header_leaves_out(imported):
    options = "--distilled-lora --steps 6 --guidance=2.5 -w 64 -h 64 -f 9 --hf-token secret --image a.png"
    run = imported(f"$ ltx-video generate 'a fox' {options}\n" + logs.profile([1.0] * 6))
    case = only(run).case
    assert (case.model, case.distilled_lora, case.steps, case.guidance) == (Model.DEV, LoraUse.ALL, 6, 2.5)
    assert "--image a.png" in " ".join(run.record.imported.notes)
    assert "secret" not in " ".join(run.record.imported.notes)


def test_a_file_that_holds_nothing_is_refused(imported):
    with pytest.raises(ResultError, match="holds no case"):
        imported("Nothing of interest.\n")


def test_a_file_that_is_too_large_is_refused(imported, monkeypatch):
    monkeypatch.setattr("ltxbench.importing.sources.LIMIT_BYTES", 100)
    with pytest.raises(ResultError, match="larger than"):
        imported("x" * 101)


FRAGMENTS = st.sampled_from(
    [
        "Step 0: 1.0s",
        "Step 3-99999: ~2s each",
        "Stage 2 (1x1, 99999 steps):",
        "Denoising (0 steps): 0s",
        "Average: 1s/step",
        "Peak GPU memory: 9999999999999999999999 MB",
        "Step 99999: 1s",
        "  Step 1/8 (σ=1.2.3.4)",
        "Step 8/8 (σ=0.1)",
        "--- Profiling ---",
        "LTX-2 Video Generation",
        "Resolution: 0x0",
        "Frames: 0",
        "Seed: 99999999999999999999999",
        "Prompt: \x1b[2J",
        "ltx-video generate 'unclosed",
        "ltx-video generate --steps x -w",
        "| # | Configuration | Time |",
        "|---|---|---|",
        "| 1 | a | 5s |",
        "### 1. a",
        "```",
        "**-17%** faster (1s vs 2s)",
        "| Metric | a (#1) | b (#1) | Difference |",
        "[LTX]   Step 0 time: 3.64s",
        "Pipeline total: 0s",
        "VAE Decoding: 1e9s",
        "Denoising (8 steps): 0.0s",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.text(max_size=20)), max_size=12).map("\n".join))
def test_no_text_breaks_the_readers(text):
    text = plain(text)
    is_printed(text)
    parse_printed(text)
    parse_page(text)


@settings(max_examples=150, deadline=None)
@given(text=st.lists(st.one_of(FRAGMENTS, st.text(max_size=20)), max_size=12).map("\n".join))
def test_any_text_is_a_run_or_refused_politely(tmp_path_factory, text):
    folder: Path = tmp_path_factory.mktemp("fuzz")
    (folder / "a.log").write_text(text, encoding="utf-8", errors="replace")
    with suppress(ResultError):
        import_published([folder / "a.log"], folder / "runs")
