from __future__ import annotations

from ltxbench.run.records import CaseRecord, Outcome, StepRecord
from ltxbench.statistics.drift import Steadiness
from ltxbench.trust.drift import case_drift
from ltxbench.trust.samples import GENERATION, by_round, samples, step_metric, time_metrics, warm_steps
from tests.trust.runs import STEADY, THROTTLED, rounds, run_of, with_records


def test_a_throttled_round_drifts_and_the_same_work_does_not() -> None:
    run = run_of(throttled=[THROTTLED], steady=[STEADY])
    worst = case_drift(run.rounds_of("throttled")).worst
    assert worst is not None
    assert worst.drift.steadiness is Steadiness.DRIFTING
    assert worst.sentence == "drifts by +19% and wanders by 28% over 7 warm steps of stage 1"
    assert case_drift(run.rounds_of("steady")).worst is None


def test_the_sentence_holds_the_figure_that_grades_it() -> None:
    wave = [9.0, *[8.0] * 6, *[10.4] * 9, *[8.0] * 6]
    for case in (THROTTLED, wave, [9.0, *(8.0 + 0.3 * index for index in range(8))]):
        worst = case_drift(run_of(case=[case]).rounds_of("case")).worst
        assert worst is not None
        assert f"{worst.drift.size:.0%}" in worst.sentence.replace("+", "")


def test_an_unsteady_case_gives_its_larger_figure_first() -> None:
    worst = case_drift(
        run_of(case=[rounds(1, factor=factor)[0] for factor in (1.0, 1.5, 1.2, 1.8)]).rounds_of("case")
    ).worst
    assert worst is not None
    assert worst.drift.steadiness is Steadiness.UNSTEADY
    assert worst.drift.change > worst.drift.wander
    assert worst.sentence.startswith(f"wanders with a trend of +{worst.drift.size:.0%}, its levels ")


def test_one_throttled_round_among_steady_ones_is_found_and_named() -> None:
    run = run_of(case=[*rounds(3), list(THROTTLED), *rounds(2)])
    worst = case_drift(run.rounds_of("case")).worst
    assert worst is not None
    assert worst.round == 4
    assert worst.sentence.endswith("in round 4")


def test_rounds_that_get_slower_drift_though_each_is_steady() -> None:
    run = run_of(case=[rounds(1, factor=1 + 0.03 * index)[0] for index in range(8)])
    worst = case_drift(run.rounds_of("case")).worst
    assert worst is not None
    assert worst.stage is None
    assert worst.sentence == "drifts by +19% and wanders by 13% over 8 rounds"
    assert case_drift(run.rounds_of("case")).within(None).worst is None


def test_the_step_between_two_stages_is_no_drift() -> None:
    def two_stages(record: CaseRecord) -> dict[str, object]:
        steps = [s.model_copy(update={"stage": 1 if s.index < 5 else 2}) for s in record.steps]
        return {"steps": tuple(steps)}

    run = with_records(run_of(case=rounds(1, steps=(3.6, 2.5, 2.4, 2.4, 2.4, 8.4, 7.7, 7.7))), two_stages)
    drift = case_drift(run.rounds_of("case"))
    assert drift.worst is None
    assert [stretch.stage for stretch in drift.stretches] == [1]


def test_a_case_without_steps_or_rounds_has_no_drift() -> None:
    assert case_drift(()).stretches == ()
    run = with_records(run_of(case=rounds(1)), lambda _: {"steps": ()})
    assert case_drift(run.rounds_of("case")).stretches == ()


def test_a_sample_is_the_median_of_a_rounds_warm_steps() -> None:
    run = run_of(case=[STEADY, STEADY])
    assert samples(run.rounds_of("case"), step_metric(1)) == (8.3, 8.3)
    assert samples(run.rounds_of("case"), step_metric(2)) == ()
    assert [metric.name for metric in time_metrics(run.rounds_of("case")[0].case)] == [
        "generation_s",
        "step_1_s",
        "load_s",
    ]


def test_the_single_step_of_a_stage_counts_once_it_was_warmed_up() -> None:
    run = run_of(case=[[2.0]])
    record = run.rounds_of("case")[0]
    assert warm_steps(record) == {1: ()}
    cold = StepRecord(stage=1, index=0, sigma=1.0, forwards=1, start_s=0.0, step_s=5.0)
    assert warm_steps(record.model_copy(update={"cold_steps": (cold,)})) == {1: (2.0,)}


def test_a_round_that_failed_gives_no_sample() -> None:
    run = with_records(run_of(case=rounds(3)), lambda r: {"outcome": Outcome.FAILED if r.round == 2 else Outcome.OK})
    assert list(by_round(run.rounds_of("case"), GENERATION)) == [1, 3]
