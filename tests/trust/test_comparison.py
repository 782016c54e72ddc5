from __future__ import annotations

import pytest

from ltxbench.errors import ResultError, UsageError
from ltxbench.matrix.case import Quantization
from ltxbench.run.records import MemoryRecord, Outcome
from ltxbench.trust.comparison import Result, compare_cases, compare_pairs, compare_runs, limits
from tests.trust.runs import STEADY, THROTTLED, rounds, run_of, with_machine, with_records, with_run

RUN = run_of(case=rounds(6))


def test_a_run_against_itself_is_the_same() -> None:
    (found,) = compare_runs(RUN, RUN)
    assert found.result is Result.SAME
    assert found.metrics[0].metric == "generation_s"
    assert found.qualifications == ()


@pytest.mark.parametrize(("factor", "result"), [(1.08, Result.SLOWER), (0.92, Result.FASTER)])
def test_a_changed_run_is_told_with_its_figures(factor: float, result: Result) -> None:
    (found,) = compare_runs(RUN, run_of(case=rounds(6, factor=factor)))
    assert found.result is result
    assert f"{result.value} (ratio " in found.metrics[0].sentence
    assert found.metrics[1].metric == "step_1_s"
    assert found.metrics[1].result is result


def test_a_single_sample_of_each_is_never_a_change() -> None:
    (found,) = compare_runs(run_of(case=rounds(1)), with_run(run_of(case=rounds(1, factor=2.0)), id="new"))
    assert found.result is Result.INCONCLUSIVE
    assert "at least 3 more of each needed" in found.metrics[0].sentence
    assert sum("one round" in sentence for sentence in found.qualifications) == 2


def test_what_limits_answers_alike_is_told_once() -> None:
    once, often = (run_of(a=rounds(count), b=rounds(count)) for count in (1, 6))
    said = "one round: its spread is not known, and no difference to it can be tested"
    assert limits(compare_runs(once, with_run(once, id="new"))) == [f"everything compared: {said}"]
    name = once.record.id
    assert limits(compare_runs(once, with_run(often, id="new"))) == [f"{name}:a, {name}:b: {said}"]
    assert limits(compare_runs(often, often)) == []


def test_other_machines_are_not_comparable_and_the_field_is_named() -> None:
    other = with_machine(run_of(case=rounds(6, factor=2.0)), chip="other")
    (found,) = compare_runs(RUN, other)
    assert found.result is Result.NOT_COMPARABLE
    assert found.metrics[0].sentence == "chip: scripted, then other"
    assert found.metrics[0].statistics is None
    assert compare_runs(RUN, other, allow=["chip"])[0].result is Result.SLOWER
    with pytest.raises(UsageError):
        compare_runs(RUN, other, allow=["chips"])


def test_another_mlx_is_not_comparable_unless_it_is_what_the_comparison_is_about() -> None:
    newer = with_machine(run_of(case=rounds(6, factor=1.1)), packages={"mlx": "newer"})
    (found,) = compare_runs(RUN, newer)
    assert found.result is Result.NOT_COMPARABLE
    assert found.metrics[0].sentence == "mlx: mlx scripted, then mlx newer"
    (found,) = compare_runs(RUN, newer, allow=["mlx"])
    assert found.result is Result.SLOWER
    assert "mlx: mlx scripted, then mlx newer" in found.qualifications


def test_a_case_that_vanished_or_never_finished_is_missing() -> None:
    two = run_of(case=rounds(6), other=rounds(6))
    assert [each.result for each in compare_runs(two, RUN)] == [Result.SAME, Result.MISSING]
    failed = with_records(RUN, lambda _: {"outcome": Outcome.FAILED})
    (found,) = compare_runs(RUN, failed)
    assert found.result is Result.MISSING
    assert any("did not finish" in sentence for sentence in found.qualifications)


def test_many_cases_share_the_error_rate() -> None:
    names = [f"case-{index}" for index in range(30)]
    old = run_of(**{name: rounds(6) for name in names})
    new = run_of(**{name: rounds(6, factor=1.08 if name == "case-7" else 1.0) for name in names})
    answers = {each.new.rpartition(":")[2]: each.result for each in compare_runs(old, new)}
    assert answers.pop("case-7") is Result.INCONCLUSIVE
    assert set(answers.values()) == {Result.SAME}
    assert compare_runs(old, new, only="case-7")[0].result is Result.SLOWER


def test_a_throttled_case_is_not_slower_than_a_steady_one_but_open_with_its_drift() -> None:
    run = run_of(throttled=[THROTTLED] * 6, steady=[STEADY] * 6)
    found = compare_cases(run, "steady", "throttled")
    assert found.result is Result.INCONCLUSIVE
    assert any(sentence.startswith("throttled: drifts by +19% and wanders by 28%") for sentence in found.qualifications)


def test_a_difference_no_larger_than_a_drift_is_left_open_with_it() -> None:
    ramp = (9.9, *(8.6 + 0.1 * index for index in range(7)))
    (found,) = compare_runs(RUN, run_of(case=rounds(6, steps=ramp)))
    assert found.result is Result.INCONCLUSIVE
    assert "no more than drift makes" in found.metrics[0].sentence


def test_a_difference_beyond_any_drift_is_told_with_the_drift_beside_it() -> None:
    ramp = (9.0, *(8.0 + 0.1 * index for index in range(8)))
    run = run_of(ramp=rounds(6, steps=ramp), fast=rounds(6, steps=[4.0] * 9))
    found = compare_cases(run, "ramp", "fast")
    assert found.result is Result.FASTER
    assert any("drifts by" in sentence for sentence in found.qualifications)


def test_a_change_that_leaves_the_fastest_steps_alone_is_left_open() -> None:
    interrupted = (9.5, 8.3, 8.3, 12.0, 8.3, 12.0, 8.3, 12.0)
    (found,) = compare_runs(RUN, run_of(case=rounds(6, steps=interrupted)))
    assert found.result is Result.INCONCLUSIVE
    assert "with every step as fast as its round's fastest" in found.metrics[0].sentence


@pytest.mark.parametrize("side", [0, 1])
def test_a_machine_that_is_slow_from_the_first_warm_step_on_is_no_slower_code(side: int) -> None:
    hot = run_of(case=rounds(6, steps=(9.5, 9.3, *[9.9] * 6)))
    (found,) = compare_runs(*((RUN, hot) if side else (hot, RUN)))
    assert found.result is Result.INCONCLUSIVE
    assert "with every step like its stage's first" in found.metrics[0].sentence


def test_a_first_step_that_compiles_excuses_nothing() -> None:
    old, new = (run_of(case=rounds(6, steps=(30.0, *[step] * 7))) for step in (8.3, 9.1))
    assert compare_runs(old, new)[0].result is Result.SLOWER


def test_an_invalid_side_leaves_no_answer_and_says_why() -> None:
    swapped = with_records(
        run_of(case=rounds(6, factor=1.5)), lambda _: {"memory": MemoryRecord(swapped_out_bytes=1 << 30)}
    )
    (found,) = compare_runs(RUN, swapped)
    assert found.result is Result.INCONCLUSIVE
    assert "case is INVALID: the machine swapped out 1,024 MiB" in found.metrics[0].sentence


def test_rounds_are_compared_in_pairs_within_one_run() -> None:
    heat = (1.0, 1.1, 1.3, 1.2, 1.4, 1.05, 1.25)
    old = [[factor * 8.3] * 8 for factor in heat]
    new = [[1.05 * wobble * step for step in row] for row, wobble in zip(old, (1, 1.001, 0.999) * 3, strict=False)]
    found = compare_cases(run_of(old=old, new=new), "old", "new")
    assert found.result is Result.SLOWER
    assert found.metrics[0].statistics is not None
    assert found.metrics[0].statistics.paired


def test_rounds_that_one_side_lost_are_left_out_of_the_pairs() -> None:
    run = with_records(
        run_of(old=rounds(7), new=rounds(7)),
        lambda r: {"outcome": Outcome.FAILED if r.case.name == "new" and r.round == 3 else Outcome.OK},
    )
    statistics = compare_cases(run, "old", "new").metrics[0].statistics
    assert statistics is not None
    assert (statistics.n_old, statistics.n_new) == (6, 6)


def test_settings_that_differ_between_two_cases_are_named() -> None:
    run = run_of(old=rounds(6), new=rounds(6))
    old, new = run.record.matrix.cases
    cases = (old, new.model_copy(update={"quantization": Quantization.QINT8}))
    run = with_run(run, matrix=run.record.matrix.model_copy(update={"cases": cases}), conditioning_shared=False)
    found = compare_cases(run, "old", "new")
    assert "case (quantization): bf16, then qint8" in found.qualifications
    assert any("did not encode the same text" in sentence for sentence in found.qualifications)
    assert found.result is Result.SAME


def test_a_case_that_the_run_has_not_is_refused() -> None:
    with pytest.raises(ResultError, match="no case 'nothing'"):
        compare_cases(RUN, "case", "nothing")
    assert compare_pairs(RUN, []) == ()


def test_memory_is_told_as_it_is_without_a_test() -> None:
    old, new = (with_records(RUN, lambda _, b=size: {"memory": MemoryRecord(mlx_peak_bytes=b)}) for size in (100, 110))
    peak = compare_runs(old, new)[0].figures[0]
    assert (peak.name, peak.old, peak.new) == ("mlx_peak_bytes", 100, 110)
    assert peak.ratio == pytest.approx(1.1)
    assert compare_runs(RUN, RUN)[0].figures[0].ratio is None
