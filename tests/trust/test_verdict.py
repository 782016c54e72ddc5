from __future__ import annotations

from typing import Any

import pytest

from ltxbench.matrix.case import Model
from ltxbench.run.conditions import Conditions, Examination, Reading, Status
from ltxbench.run.records import CHECK_ROUND, CaseRecord, MemoryRecord, Outcome, Schedule, Times, VideoRecord
from ltxbench.run.store import RunFolder
from ltxbench.trust.comparison import Result, compare_runs
from ltxbench.trust.reasons import Code, Grade
from ltxbench.trust.verdict import case_verdict, run_verdict
from tests.trust.runs import THROTTLED, rounds, run_of, with_records, with_run

MIB = 1 << 20


def found(run: RunFolder) -> dict[Code, Grade]:
    return {reason.code: reason.grade for reason in case_verdict(run.rounds_of("case"), run.check_of("case")).reasons}


def changed(count: int = 4, *, only: int | None = 2, **updates: Any) -> RunFolder:
    """A clean case, with one round changed."""
    return with_records(run_of(case=rounds(count)), lambda r: updates if only in (None, r.round) else {})


def checked(generation_s: float, count: int = 4, **updates: Any) -> RunFolder:
    """A clean case with a check round of this total; its own takes 68.3 s or so."""
    run = run_of(case=rounds(count))
    check = run.records[0].model_copy(
        update={"round": CHECK_ROUND, "steps": (), "times": Times(generation_s=generation_s), **updates}
    )
    return RunFolder(run.path, run.record, (check, *run.records))


def test_four_steady_rounds_are_valid_without_a_word() -> None:
    verdict = run_verdict(run_of(case=rounds(4)))
    assert verdict.valid
    assert (verdict.word, verdict.reasons, verdict.cases[0].reasons) == ("VALID", (), ())


def test_swap_that_grew_makes_a_case_invalid_with_its_size() -> None:
    before, after = Conditions(swapped_out_bytes=100 * MIB), Conditions(swapped_out_bytes=612 * MIB)
    run = changed(before=before, after=after)
    verdict = case_verdict(run.rounds_of("case"))
    assert not verdict.valid
    assert verdict.failures[0].code is Code.SWAPPED
    assert "512 MiB during round 2" in verdict.failures[0].sentence


def test_the_samplers_own_account_of_swap_counts_too() -> None:
    assert found(changed(memory=MemoryRecord(swapped_out_bytes=40 * MIB))) == {Code.SWAPPED: Grade.FAILURE}


def test_a_little_housekeeping_and_an_unread_counter_are_no_swap() -> None:
    assert found(changed(memory=MemoryRecord(swapped_out_bytes=2 * MIB))) == {}
    assert found(changed(before=Conditions(), after=Conditions(swapped_out_bytes=9999 * MIB))) == {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_reported_throttling_makes_a_case_invalid(when: str) -> None:
    run = changed(**{when: Conditions(throttled=True, throttle_reason="thermal")})
    verdict = case_verdict(run.rounds_of("case"))
    assert [reason.code for reason in verdict.failures] == [Code.THROTTLED]
    assert f"{when} round 2 (thermal)" in verdict.failures[0].sentence


def test_low_power_fails_and_a_battery_is_said() -> None:
    assert found(changed(after=Conditions(low_power=True))) == {Code.LOW_POWER: Grade.FAILURE}
    assert found(changed(after=Conditions(power_source="battery"))) == {Code.BATTERY: Grade.WARNING}


def test_a_starved_sampler_makes_a_case_invalid() -> None:
    starved = MemoryRecord(samples=10, interval_s=0.05, longest_gap_s=2.5)
    assert found(changed(memory=starved)) == {Code.STARVED: Grade.FAILURE}


@pytest.mark.parametrize(("interval_s", "gap_s"), [(0.05, 0.9), (0.5, 4.0)])
def test_a_gap_of_a_second_or_a_few_intervals_is_no_starvation(interval_s: float, gap_s: float) -> None:
    assert found(changed(memory=MemoryRecord(interval_s=interval_s, longest_gap_s=gap_s))) == {}


def test_a_stepped_total_apart_from_the_unstepped_makes_a_case_invalid() -> None:
    assert found(checked(68.4)) == {}
    assert found(checked(60.0)) == {Code.DISAGREES: Grade.FAILURE}
    assert found(checked(75.0)) == {Code.DISAGREES: Grade.FAILURE}


def test_with_one_round_a_disagreement_may_be_noise() -> None:
    assert found(checked(60.0, count=1))[Code.UNCONFIRMED] is Grade.WARNING


def test_a_check_beyond_noisy_rounds_may_be_noise_until_it_is_far_beyond_them() -> None:
    noisy = [rounds(1, factor=factor)[0] for factor in (0.9, 1.0, 1.1, 1.05)]
    run = run_of(case=noisy)

    def beside(generation_s: float) -> dict[Code, Grade]:
        check = run.records[0].model_copy(update={"round": CHECK_ROUND, "times": Times(generation_s=generation_s)})
        return found(RunFolder(run.path, run.record, (check, *run.records)))

    slowest = max(record.times.generation_s or 0.0 for record in run.records)
    assert beside(1.15 * slowest) == {Code.UNCONFIRMED: Grade.WARNING}
    assert beside(2.0 * slowest) == {Code.DISAGREES: Grade.FAILURE}


def test_a_check_that_failed_says_nothing() -> None:
    assert found(checked(60.0, outcome=Outcome.FAILED)) == {}


def test_a_large_drift_makes_a_case_invalid_and_a_small_one_is_said() -> None:
    assert found(run_of(case=[THROTTLED])) == {Code.DRIFTING: Grade.FAILURE, Code.SINGLE_SAMPLE: Grade.WARNING}
    ramp = [9.0, *(8.0 + 0.1 * index for index in range(8))]
    assert found(run_of(case=[ramp])) == {Code.DRIFTING: Grade.WARNING, Code.SINGLE_SAMPLE: Grade.WARNING}


def test_a_wave_is_called_unsteady() -> None:
    wave = [9.0, *[8.0] * 5, *[8.9] * 9, *[8.0] * 5]
    assert found(run_of(case=[wave]))[Code.UNSTEADY] is Grade.WARNING


@pytest.mark.parametrize("count", [2, 3])
def test_two_or_three_rounds_are_too_few(count: int) -> None:
    assert found(run_of(case=rounds(count))) == {Code.FEW_ROUNDS: Grade.FAILURE}


def test_one_round_that_was_all_that_was_asked_for_is_a_single_sample() -> None:
    assert found(run_of(case=rounds(1))) == {Code.SINGLE_SAMPLE: Grade.WARNING}
    assert run_verdict(run_of(case=rounds(1))).valid


def test_one_round_of_five_asked_for_is_too_few() -> None:
    run = run_of(case=rounds(1))
    verdict = run_verdict(with_run(run, schedule=Schedule(repeats=5))).cases[0]
    assert [reason.code for reason in verdict.failures] == [Code.FEW_ROUNDS]
    assert verdict.failures[0].sentence.startswith("1 round of 5 asked for")


def test_three_rounds_leave_an_answer_where_the_other_side_has_enough() -> None:
    (found,) = compare_runs(run_of(case=rounds(12)), run_of(case=rounds(3, factor=1.2)))
    assert found.result is Result.SLOWER
    assert any("3 rounds" in sentence for sentence in found.qualifications)


def test_two_latents_of_one_seed_are_said() -> None:
    run = with_records(run_of(case=rounds(4)), lambda r: {"facts": {"latent_sha256": "a" if r.round < 4 else "b"}})
    assert found(run) == {Code.NONDETERMINISTIC: Grade.WARNING}


def test_frames_that_differ_from_the_checks_are_said() -> None:
    def video(sha256: str) -> VideoRecord:
        return VideoRecord(file=None, width=1, height=1, frames=1, fps=24, size_bytes=1, frames_sha256=sha256)

    def frames(record: CaseRecord) -> dict[str, object]:
        return {"video": video("check" if record.round == CHECK_ROUND else "timed")}

    assert found(with_records(checked(68.4), frames)) == {Code.NONDETERMINISTIC: Grade.WARNING}
    assert found(with_records(checked(68.4), lambda _: {"video": video("one")})) == {}


def test_a_round_that_failed_and_a_case_that_never_ran_are_invalid() -> None:
    run = changed(5, outcome=Outcome.OUT_OF_MEMORY)
    verdict = case_verdict(run.rounds_of("case"))
    assert [reason.code for reason in verdict.failures] == [Code.NOT_FINISHED]
    assert "1 of 5 rounds did not finish (round 2: out of memory)" in verdict.failures[0].sentence
    assert not case_verdict((), name="case").valid


def examined(*readings: Reading) -> RunFolder:
    return with_run(run_of(case=rounds(4)), examination=Examination(readings=readings, overridden=True))


def test_a_failed_canary_makes_the_run_invalid() -> None:
    verdict = run_verdict(examined(Reading(name="kernel canary", status=Status.FAILURE, detail="conv3d is off by 0.3")))
    assert [(reason.code, reason.grade) for reason in verdict.reasons] == [(Code.CANARY, Grade.FAILURE)]
    assert "conv3d is off by 0.3" in verdict.reasons[0].sentence
    assert not verdict.valid
    assert verdict.cases[0].valid


def test_an_overridden_examination_makes_the_run_invalid() -> None:
    verdict = run_verdict(examined(Reading(name="memory pressure", status=Status.FAILURE, value="critical")))
    assert [reason.code for reason in verdict.reasons] == [Code.DOCTOR_OVERRIDDEN]
    assert "memory pressure: critical" in verdict.reasons[0].sentence


@pytest.mark.parametrize("status", [Status.OK, Status.WARNING, Status.UNKNOWN])
def test_what_the_examination_does_not_fail_leaves_the_run_valid(status: Status) -> None:
    assert run_verdict(examined(Reading(name="power", status=status))).valid


@pytest.mark.parametrize(("shared", "said"), [(True, False), (None, False), (False, True)])
def test_a_conditioning_that_is_not_shared_is_said(shared: bool | None, said: bool) -> None:
    verdict = run_verdict(with_run(run_of(case=rounds(4)), conditioning_shared=shared))
    assert [reason.code for reason in verdict.reasons] == ([Code.CONDITIONING] if said else [])
    assert verdict.valid


def test_cases_of_one_shape_must_start_from_one_noise() -> None:
    run = run_of(one=rounds(4), two=rounds(4))
    same = with_records(run, lambda _: {"facts": {"noise_sha256": "a"}})
    apart = with_records(run, lambda r: {"facts": {"noise_sha256": r.case.name}})
    assert run_verdict(same).reasons == ()
    assert [reason.code for reason in run_verdict(apart).reasons] == [Code.NOISE]


def test_cases_of_other_seeds_may_start_from_other_noise() -> None:
    def facts(record: CaseRecord) -> dict[str, object]:
        seed = 1 if record.case.name == "one" else 2
        return {"case": record.case.model_copy(update={"seed": seed}), "facts": {"noise_sha256": seed}}

    assert run_verdict(with_records(run_of(one=rounds(4), two=rounds(4)), facts)).reasons == ()


def test_the_noise_of_the_second_stage_must_agree_too() -> None:
    run = with_records(run_of(one=rounds(4), two=rounds(4)), lambda r: {"facts": {"noise_sha256_stage_2": r.case.name}})
    (reason,) = run_verdict(run).reasons
    assert reason.code is Code.NOISE
    assert "one, two" in reason.sentence


def test_cases_of_one_model_must_be_given_one_text() -> None:
    run = run_of(one=rounds(4), two=rounds(4))
    same = with_records(run, lambda _: {"facts": {"context_sha256": "a"}})
    apart = with_records(run, lambda r: {"facts": {"context_sha256": r.case.name}})
    models = with_records(
        apart,
        lambda r: {"case": r.case.model_copy(update={"model": Model.DEV if r.case.name == "two" else r.case.model})},
    )
    assert run_verdict(same).reasons == run_verdict(models).reasons == ()
    assert [reason.code for reason in run_verdict(apart).reasons] == [Code.EMBEDDINGS]


def test_rounds_that_are_missing_are_counted() -> None:
    run = with_run(run_of(case=rounds(4)), schedule=Schedule(repeats=6))
    assert [reason.code for reason in run_verdict(run).reasons] == [Code.INCOMPLETE]


def test_every_reason_says_what_to_do() -> None:
    verdict = run_verdict(examined(Reading(name="swap", status=Status.FAILURE)))
    reasons = [*verdict.reasons, *case_verdict(run_of(case=[THROTTLED]).rounds_of("case")).reasons]
    assert all(reason.advice and reason.badge for reason in reasons)
