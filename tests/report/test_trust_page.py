"""What a page says of its own figures."""

from __future__ import annotations

import json

import pytest

from ltxbench.audit.records import Answer, Audit, CaseAudit, Check
from ltxbench.audit.records import Finding as AuditFinding
from ltxbench.report.badges import Badges, Finding, badge
from ltxbench.report.build import build
from ltxbench.report.page import Table
from ltxbench.report.questions import MOST
from ltxbench.report.render import render
from ltxbench.report.results import Results
from ltxbench.run.conditions import Conditions, Examination, Reading, Status
from ltxbench.run.records import (
    Claim,
    EnergyRecord,
    Import,
    MemoryRecord,
    Outcome,
    Schedule,
    StepRecord,
    Times,
)
from ltxbench.trust.reasons import Code, warning
from tests.report import markdown
from tests.report.rounds import page_of, repeated, results_of, text_of
from tests.report.runs import BEAVER, GIB, make_matrix, make_record, make_run

FIVE = (80.0, 80.4, 80.2, 79.9, 80.1)


def column(table: Table, title: str) -> list[str]:
    place = [each.title for each in table.columns].index(title)
    return [row[place].text for row in table.rows]


def titles(table: Table) -> list[str]:
    return [each.title for each in table.columns]


def drifting(seconds: float = 80.0, *, by: float = 0.5):
    """One round whose steps rise steadily."""
    (record,) = repeated(BEAVER[0], 1, [seconds])
    count = len(record.steps)
    steps = [s.model_copy(update={"step_s": 8.0 * (1 + by * i / count)}) for i, s in enumerate(record.steps)]
    return [record.model_copy(update={"steps": tuple(steps)})]


def test_several_rounds_show_their_median_and_their_spread() -> None:
    page = page_of(results_of(repeated(BEAVER[0], 1, FIVE)))
    assert column(page.performance, "Time") == ["80.1 s"]
    assert column(page.performance, "Spread") == ["79.9–80.4 s"]
    assert column(page.performance, "Trust") == ["VALID"]
    assert page.caveat.startswith("Times are medians of 5 rounds.")


def test_the_median_stands_wherever_a_case_has_one_time(tmp_path) -> None:
    from ltxbench.report.page import Media
    from ltxbench.report.plots import draw_all

    results = results_of(repeated(BEAVER[0], 1, (90.0, 80.0, 85.0)), repeated(BEAVER[1], 2, (300.0, 320.0, 310.0)))
    page = build(results, {"distilled": Media("run/a.mp4")}, [])
    assert page.videos[0].rows[0][0].figure == column(page.performance, "Time")[0] == "85.0 s"
    draw_all(results, tmp_path / "plots", draw=False)
    drawn = json.loads((tmp_path / "plots" / "tradeoff.json").read_text())
    assert [case["generation_s"] for case in drawn["cases"]] == [85.0, 310.0]


def test_one_round_has_no_spread_and_is_a_single_sample() -> None:
    page = page_of(results_of(repeated(BEAVER[0], 1, [80.0])))
    assert "Spread" not in titles(page.performance)
    assert column(page.performance, "Trust") == ["VALID · single sample"]
    assert "ran once" in page.caveat


def test_a_round_far_from_the_others_is_marked_and_kept() -> None:
    page = page_of(results_of(repeated(BEAVER[0], 1, [80.0, 80.1, 80.2, 79.9, 80.1, 120.0])))
    spread = page.trust.folded[0]
    assert spread.title == "Spread over the rounds"
    assert column(spread.tables[0], "Every round, in seconds") == ["80.0, 80.1, 80.2, 79.9, 80.1, 120†"]
    assert column(spread.tables[0], "Rounds") == ["6"]
    assert column(page.performance, "Spread") == ["79.9 s – 2 m 00 s"]


def test_a_case_that_drifts_says_so_with_its_size_wherever_it_is_compared() -> None:
    quantized = repeated(BEAVER[7], 2, [99.0])
    results = results_of(drifting(), quantized, repeated(BEAVER[3], 3, [300.0]))
    page = page_of(results)
    line = column(page.performance, "Trust")[0]
    assert line.startswith("✗ INVALID · drifting +")
    assert page.trust.word == "INVALID"
    size = line.split("drifting ")[1].split(" ")[0]
    assert f"drifting: #1 ({size})" in page.trust.summary.lower()
    assert f"Drifts by {size}" in column(page.trust.table, "Why")[0]
    twin = page.cases[1].twin
    assert twin is not None
    assert any(remark.startswith("#1: INVALID (drifting") for remark in twin.remarks)
    fastest = next(remark for remark in page.recommendation if remark.lead.startswith("Fastest"))
    assert "#1 Distilled" in fastest.text
    assert f"#1 is INVALID (drifting {size})." in fastest.text


def test_the_fastest_is_tested_against_the_next() -> None:
    fast, slow = repeated(BEAVER[0], 1, FIVE), repeated(BEAVER[2], 2, [time * 1.5 for time in FIVE])
    told = page_of(results_of(fast, slow)).recommendation[0].text
    assert "#2 is next" in told
    assert "inconclusive" not in told
    near = repeated(BEAVER[2], 2, [81.0])
    told = page_of(results_of(fast[:1], near)).recommendation[0].text
    assert "the difference is inconclusive" in told
    assert "more" in told


def test_answers_of_the_twin_are_words_and_name_the_missing_rounds() -> None:
    bf16 = repeated(BEAVER[0], 1, FIVE)
    assert (
        page_of(results_of(bf16, repeated(BEAVER[7], 2, [t * 1.4 for t in FIVE]))).cases[1].twin.answers[0].lead
        == "Generation, slower"
    )
    same = page_of(results_of(bf16, repeated(BEAVER[7], 2, [t * 1.001 for t in FIVE]))).cases[1].twin
    assert column(same.table, "Answer")[3] == "same within 3%"
    single = page_of(results_of(bf16[:1], repeated(BEAVER[7], 2, [95.0]))).cases[1].twin
    assert column(single.table, "Answer")[3] == "inconclusive"
    assert "more of each needed" in single.answers[0].text


def test_what_all_cases_share_is_said_once_and_badges_keep_it() -> None:
    page = page_of(results_of(repeated(BEAVER[0], 1, [80.0]), repeated(BEAVER[1], 2, [90.0])))
    assert [remark.lead for remark in page.trust.remarks] == ["Every case"]
    assert column(page.trust.table, "Verdict") == ["VALID", "VALID"]
    assert all("single sample" in text for text in column(page.performance, "Trust"))
    assert (
        page.trust.summary.count("single sample: every case") == 1 or "Single sample: every case" in page.trust.summary
    )


def test_a_round_that_failed_stays_in_the_counts() -> None:
    rounds = repeated(BEAVER[0], 1, FIVE)
    rounds[1] = make_record(BEAVER[0], 1, outcome=Outcome.TIMEOUT).model_copy(update={"round": 2})
    page = page_of(results_of(rounds, repeated(BEAVER[1], 2, FIVE)))
    assert column(page.trust.table, "Rounds") == ["4 of 5", "5"]
    assert "INVALID" in column(page.trust.table, "Verdict")[0]
    assert column(page.cases[0].rounds.tables[0], "Outcome")[1] == "timeout"


def test_a_badge_has_the_size_that_its_sentence_has() -> None:
    assert badge(warning(Code.DRIFTING, "drifts by -9% over 39 warm steps", "cool", 0.28)) == "drifting −9%"
    assert badge(warning(Code.UNSTEADY, "wanders", "cool", 0.28)) == "unsteady 28%"


def test_a_finding_in_the_pictures_has_a_badge_and_a_sentence() -> None:
    results = results_of(repeated(BEAVER[0], 1, FIVE))
    found = {"distilled": [Finding("artifacts", "Shows a lattice.")]}
    page = build(results, {}, [], findings=found)
    assert column(page.performance, "Trust") == ["VALID · artifacts"]
    assert page.cases[0].why == "Shows a lattice."
    assert Badges(results, found).line("distilled") == "VALID · artifacts"


def test_the_warm_ups_steps_are_cold_and_the_first_of_the_timed_ones_warm() -> None:
    cold = (StepRecord(stage=1, index=0, sigma=1.0, forwards=1, start_s=0.0, step_s=30.0),)
    page = page_of(results_of(repeated(BEAVER[0], 1, FIVE, cold_steps=cold)))
    assert titles(page.steps)[3:6] == ["Cold first step", "Warm first step", "Warm step"]
    assert column(page.steps, "Cold first step") == ["30.0"]
    without = page_of(results_of(repeated(BEAVER[0], 1, FIVE)))
    assert titles(without.steps)[3:5] == ["Cold first step", "Warm step"]


def test_energy_and_other_counters_have_columns_only_where_they_were_read() -> None:
    page = page_of(results_of(repeated(BEAVER[0], 1, FIVE)))
    assert page.energy is None
    assert not {"Device", "Swapped out"} & set(titles(page.memory))
    assert "Energy" not in render(page)
    energy = EnergyRecord(source="NVML, the whole GPU", generation_j=1705.4, idle_power_w=68.0)
    memory = MemoryRecord(mlx_peak_bytes=GIB, device_peak_bytes=3 * GIB, device_source="NVML", swapped_out_bytes=0)
    page = page_of(results_of(repeated(BEAVER[0], 1, FIVE, energy=energy, memory=memory)))
    assert titles(page.energy) == ["#", "Configuration", "A video"]
    assert column(page.energy, "A video") == ["1,705"]
    assert column(page.memory, "Device") == ["3.00"]
    assert column(page.memory, "Swapped out") == ["0.000"]
    assert "68 W" in render(page)


def test_order_seed_and_conditioning_are_told() -> None:
    plan = Schedule(
        repeats=2, order=(("dev", "distilled"), ("distilled", "dev")), order_seed=7, warm_up=True, cooldown="settle"
    )
    run = results_of(repeated(BEAVER[0], 1, FIVE[:2]), repeated(BEAVER[1], 2, FIVE[:2]), schedule=plan)
    text = text_of(run)
    assert "shuffled with seed 7: #2 #1; #1 #2" in text
    assert "Cooldown: settle" in text
    assert "one text for all cases, text sha256 efefefefefefefef" in text
    assert "Initial noise, sha256: 768x512, 25 frames, seed 42:" in text


@pytest.mark.parametrize(("shared", "words"), [(False, "each case encoded its own text"), (None, "not known whether")])
def test_a_conditioning_that_is_not_shared_is_told(shared: bool | None, words: str) -> None:
    text = text_of(results_of(repeated(BEAVER[0], 1, FIVE), conditioning_shared=shared))
    assert words in text
    assert ("conditioning not shared" in text.lower()) is (shared is False)


def test_what_the_doctor_found_is_folded_with_the_worst_first() -> None:
    readings = (
        Reading(name="display", status=Status.OK, value="off"),
        Reading(name="swap", status=Status.FAILURE, value="3 GiB", hint="Close programs."),
        Reading(name="sensor", status=Status.UNKNOWN),
    )
    page = page_of(
        results_of(repeated(BEAVER[0], 1, FIVE), examination=Examination(readings=readings, overridden=True))
    )
    part = next(part for part in page.trust.folded if "doctor" in part.title)
    assert part.title.endswith("1 failure, 1 unknown, 1 ok")
    assert column(part.tables[0], "Reading") == ["swap", "sensor", "display"]
    assert part.note == "The run was made although a reading failed."
    assert page.trust.word == "INVALID"


def test_conditions_are_shown_as_far_as_they_were_read() -> None:
    before, after = (
        Conditions(power_source="ac", gpu_temperature_c=40),
        Conditions(power_source="ac", gpu_temperature_c=71),
    )
    page = page_of(results_of(repeated(BEAVER[0], 1, FIVE, before=before, after=after)))
    part = next(part for part in page.trust.folded if part.title.startswith("Conditions"))
    assert titles(part.tables[0]) == ["#", "Configuration", "Round", "Power", "GPU"]
    assert column(part.tables[0], "GPU")[0] == "40 °C → 71 °C"


def test_an_audit_is_folded_with_its_counts() -> None:
    results = results_of(repeated(BEAVER[0], 1, FIVE))
    audit = Audit(
        run="x",
        created_utc="2026-01-31T12:00:00Z",
        ltxbench_version="0.1.0",
        cases=(
            CaseAudit(
                case="distilled",
                findings=(AuditFinding(check=Check.SAME_SEED, answer=Answer.PASSED, sentence="bitwise identical"),),
            ),
        ),
    )
    page = page_of(Results(results.run, results.records, {}, results.rounds, {}, audit))
    part = next(part for part in page.trust.folded if "audit" in part.title)
    assert part.title == "What ltxbench audit found: 1 passed"
    assert column(part.tables[0], "What came out") == ["Bitwise identical."]


def test_an_imported_run_keeps_its_words_and_qualifies_its_claims() -> None:
    source = Import(
        source="/home/somebody/page.md",
        source_sha256="ab" * 32,
        notes=("Each case ran once.",),
        as_published={"distilled": {"time (table)": "113s", "average per step": "~10.0s"}},
        claims=(
            Claim(text="9% more", what="total", stated=0.09, qualification="Which cases cannot be told"),
            Claim(text="43% less", what="mean", stated=-0.43, recomputed=-0.43, qualification="as stated"),
            Claim(
                text="17% faster",
                what="step",
                stated=-0.17,
                recomputed=-0.17,
                qualified=True,
                qualification="#3: 1.2% less",
            ),
        ),
    )
    results = results_of(repeated(BEAVER[0], 1, [80.0]), imported=source, conditioning_shared=False)
    page = page_of(results)
    text = render(page)
    assert "somebody" not in text
    assert "page.md" in text.split("## ")[0]
    assert column(page.imported.as_published, "Time (table)") == ["113s"]
    assert column(page.imported.as_published, "Average per step") == ["~10.0s"]
    assert [claim.lead for claim in page.imported.claims] == ["“17% faster”"]
    assert "#3: 1.2% less." in page.imported.claims[0].text
    assert [(claim.lead, claim.answer) for claim in page.imported.others] == [
        ("“9% more”", "Not checked"), ("“43% less”", "It holds"),
    ]  # fmt: skip
    assert text.index("17% faster") < text.index("43% less")
    assert "make bench" not in text


def test_the_page_holds_the_verdict_above_everything_else() -> None:
    top = text_of(results_of(repeated(BEAVER[0], 1, FIVE))).split("## ")[0]
    assert "**Verdict: VALID.** Nothing limits these figures. [Why](#trust)" in top


def test_a_page_of_rounds_is_valid_markdown_with_anchors() -> None:
    text = text_of(results_of(drifting(), repeated(BEAVER[7], 2, FIVE), repeated(BEAVER[4], 3, FIVE)))
    assert {len(set(table)) for table in markdown.tables(text)} == {1}
    linked, defined = markdown.anchors(text)
    assert linked - defined - {"videos", "plots"} == set()
    assert text.count("<details>") == text.count("</details>")


def test_another_folder_than_the_matrixs_is_named_in_the_commands() -> None:
    record = make_record(BEAVER[0], 1)
    results = Results(make_run(make_matrix([record.case])), (record,))
    text = render(build(results, {}, [], folder="beaver-dam-h100-random"))
    assert "make report MATRIX=beaver-dam-h100-random" in text
    assert "ltxbench report beaver-dam --run latest --as beaver-dam-h100-random" in text
    assert "ARGS=--no-report" in text


def test_whether_the_quantized_case_is_faster_is_answered_before_the_details() -> None:
    text = text_of(results_of(repeated(BEAVER[0], 1, [80.0]), repeated(BEAVER[7], 8, [76.0])))
    before, _, _ = text.partition("## Trust")
    assert "- **Is #8 Distilled qint8 faster than #1 Distilled?** Not settled. Generation: 80.0 s to 76.0 s" in before


def test_of_many_quantized_cases_the_first_are_asked_about_and_the_others_named() -> None:
    pairs = [
        case.model_copy(update={"name": f"{case.name}-{seed}", "seed": seed})
        for seed in range(MOST + 2)
        for case in (BEAVER[0], BEAVER[7])
    ]
    page = page_of(results_of(*(repeated(case, n, [80.0]) for n, case in enumerate(pairs, start=1))))
    assert len(page.questions) == MOST
    assert page.unasked == f"More such questions are answered in the details of #{2 * MOST + 2} and #{2 * MOST + 4}."


def test_a_case_in_doubt_that_fits_a_memory_carries_its_doubt() -> None:
    slow = [20.0, 21.0, 23.0, 25.0, 27.0, 29.0, 31.0, 33.0]
    record = make_record(BEAVER[1], 2)
    small = make_record(BEAVER[0], 1).model_copy(update={"times": Times(generation_s=900.0)})
    steps = [step.model_copy(update={"step_s": s}) for step, s in zip(small.steps, slow, strict=True)]
    small = small.model_copy(
        update={"steps": tuple(steps), "memory": small.memory.model_copy(update={"mlx_peak_bytes": 10 * 2**30})}
    )
    text = text_of(results_of([small], [record]))
    (line,) = [line for line in text.splitlines() if line.startswith("- **Fastest that fits in**")]
    assert "16 to 48 GiB: #1 Distilled (15 m 00 s)" in line
    assert "#1 is INVALID (drifting" in line
