from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ltxbench.matrix.gate import CaseGate, Gate, Thresholds
from ltxbench.regression.check import check
from ltxbench.regression.confirm import confirm, confirmed
from ltxbench.regression.entry import Entry
from ltxbench.regression.shared import together
from ltxbench.regression.shift import shift
from ltxbench.regression.summary import headline
from ltxbench.regression.times import Finding, Group, Test
from ltxbench.regression.verdict import Answer, MetricVerdict, Verdict
from tests.regression.runs import CONDITIONS, MAC, NAMES, case, entry, now, window

NOISY_MATMUL = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.002, 0.998, 1.0)


def metric(verdict: Verdict, name: str, which: str = "generation_s") -> MetricVerdict:
    found = next(each for each in verdict.cases if each.name == name)
    return next(each for each in found.metrics if each.metric == which)


def repeat(times: dict[str, float]) -> tuple[list[tuple[tuple[str, ...], tuple[str, ...]]], object]:
    """What was asked to be measured again, and what answers it with these times."""
    asked: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

    def again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        asked.append((tuple(names), tuple(controls)))
        return entry(900, [case(name, times.get(name, 100.0)) for name in (*names, *controls)])

    return asked, again


def one(**changes: object) -> Entry:
    """A run in which case one differs."""
    return entry(500, [case("one", **changes), *(case(name) for name in NAMES[1:])])


def test_nothing_changed_is_told_so_and_ends_with_0() -> None:
    found = check(window(30), now())
    assert found.exit_code == 0
    assert {each.answer for each in found.cases} <= {Answer.SAME, Answer.INCONCLUSIVE}
    assert metric(found, "one", "frames").answer is Answer.SAME


def test_a_slower_case_is_measured_again_with_others_in_between_before_it_counts() -> None:
    asked, again = repeat({"one": 110.0})
    found = check(window(20), now({"one": 110.0}), again=again)
    assert asked == [(("one",), ("two", "three", "four"))]
    assert metric(found, "one").answer is Answer.REGRESSED
    assert metric(found, "one").rerun.confirmed
    assert found.exit_code == 8
    assert [name for name, _ in found.regressed] == ["one"]


def test_what_a_rerun_does_not_show_is_no_regression() -> None:
    _, again = repeat({"one": 100.5})
    found = check(window(20), now({"one": 107.0}), again=again)
    assert metric(found, "one").answer is Answer.INCONCLUSIVE
    assert "not confirmed" in metric(found, "one").sentence
    assert found.exit_code == 0


def test_a_suspicion_without_a_rerun_asks_for_one() -> None:
    found = check(window(20), now({"one": 105.5}))
    assert metric(found, "one").suspected
    assert metric(found, "one").answer is Answer.INCONCLUSIVE
    assert "--rerun" in metric(found, "one").sentence
    assert found.exit_code == 0


def test_overwhelming_evidence_needs_no_rerun() -> None:
    found = check(window(30), now({"one": 150.0}))
    assert metric(found, "one").answer is Answer.REGRESSED
    assert "beyond doubt" in metric(found, "one").sentence


def test_slow_runs_before_it_do_not_make_a_run_red_without_a_rerun() -> None:
    """Two disturbed runs that passed as inconclusive would keep every later one out of the baseline."""
    slow = [entry(400 + number, [case(name, 120.0) for name in NAMES]) for number in range(2)]
    assert check([*window(30), *slow], now()).exit_code == 0
    assert check([*window(30), *slow], now(dict.fromkeys(NAMES, 120.0))).exit_code == 8


def test_a_rerun_that_does_not_finish_is_a_regression() -> None:
    def again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        return entry(900, [case(name, outcomes=("failed",), samples={}) for name in names])

    found = check(window(20), now({"one": 110.0}), again=again)
    assert metric(found, "one").answer is Answer.REGRESSED


def test_a_rerun_that_cannot_be_made_leaves_the_suspicion_open() -> None:
    found = check(window(20), now({"one": 105.5}), again=lambda _names, _controls: None)
    assert metric(found, "one").answer is Answer.INCONCLUSIVE
    assert "could not be measured again" in found.notes[0]


def test_a_faster_case_is_improved_once_its_rerun_agrees() -> None:
    _, again = repeat({"two": 80.0})
    found = check(window(20), now({"two": 80.0}), again=again)
    assert metric(found, "two").answer is Answer.IMPROVED
    assert found.exit_code == 0


def test_the_headline_calls_nothing_unconfirmed_that_was_told_as_improved() -> None:
    found = check(window(20), now({"two": 50.0}))
    assert metric(found, "two").answer is Answer.IMPROVED
    assert headline(found) == "Nothing regressed"
    assert headline(check(window(20), now({"one": 105.5}))).endswith("suspected and not confirmed: one")


def test_a_change_smaller_than_its_threshold_is_none_however_sure() -> None:
    found = check(window(30, sd=0.002), now({"one": 102.5}))
    assert not metric(found, "one").suspected
    tight = Gate(thresholds=Thresholds(generation=0.01))
    assert metric(check(window(30, sd=0.002), now({"one": 102.5}), tight), "one").suspected


def test_the_noise_between_runs_counts_not_that_within_them() -> None:
    """Rounds that agree to the last digit say nothing about the next run."""
    assert metric(check(window(20, sd=0.001), now({"one": 106.0})), "one").suspected
    assert not metric(check(window(20, sd=0.04), now({"one": 106.0})), "one").suspected


def test_what_all_cases_share_is_no_fault_of_one_of_them_but_is_told_of_all() -> None:
    times = dict.fromkeys(NAMES, 112.0)
    _, again = repeat(times)
    found = check(window(30), now(times), again=again)
    assert {name for name, _ in found.regressed} == set(NAMES)


def test_cases_of_seconds_and_of_minutes_stand_side_by_side() -> None:
    scale = dict(zip(NAMES, (1.0, 10.0, 100.0, 1000.0), strict=True))

    def scaled(each: Entry) -> Entry:
        cases = [case(one.name, one.samples["generation_s"][0] * scale[one.name] / 100) for one in each.cases]
        return each.model_copy(update={"cases": tuple(cases)})

    earlier = [scaled(each) for each in window(30, sd=0.005)]
    found = check(earlier, now({**scale, "two": 11.0, "three": 110.0}))
    assert {each.name for each in found.cases if any(one.suspected for one in each.metrics)} == {"two", "three"}


def test_a_machine_whose_own_arithmetic_is_slower_explains_slower_times() -> None:
    earlier = [
        each.model_copy(update={"matmul_flops_per_s": 1e13 * share})
        for each, share in zip(window(12), NOISY_MATMUL, strict=True)
    ]
    times = dict.fromkeys(NAMES, 112.0)

    def again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        return entry(900, [case(name, 112.0) for name in names], matmul_flops_per_s=0.9e13)

    slow = check(earlier, now(times, matmul_flops_per_s=0.9e13), again=again)
    assert metric(slow, "one").answer is Answer.INCONCLUSIVE
    assert "own arithmetic" in metric(slow, "one").sentence
    assert check(earlier, now(times, matmul_flops_per_s=1e13), again=again).exit_code == 8


def test_a_small_step_is_found_in_the_latest_runs_together() -> None:
    def slower(number: int, each: Entry) -> Entry:
        cases = [
            case(one.name, one.samples["generation_s"][0] * (1.045 if one.name == "one" else 1)) for one in each.cases
        ]
        return entry(number, cases)

    earlier = window(25, sd=0.011, seed=4)
    assert not metric(check(earlier, now({"one": 103.5})), "one").suspected
    later = [slower(100 + number, each) for number, each in enumerate(window(4, sd=0.011, seed=5))]
    found = metric(check([*earlier, *later], now({"one": 103.5})), "one")
    assert found.suspected
    assert found.latest in (3, 5)


def test_few_runs_give_no_answer_about_times_and_say_how_many_are_missing() -> None:
    found = metric(check(window(3), now({"one": 130.0})), "one")
    assert found.answer is Answer.INCONCLUSIVE
    assert "2 more are needed" in found.sentence


def test_an_invalid_run_says_nothing_about_times_and_all_about_memory() -> None:
    found = check(
        window(20), one(generation_s=150.0, invalid=("swapped",), samples={"mlx_peak_bytes": (float(40 << 30),)})
    )
    assert metric(found, "one").answer is Answer.INCONCLUSIVE
    assert metric(found, "one", "mlx_peak_bytes").answer is Answer.REGRESSED
    whole = check(window(20), now({"one": 150.0}, invalid=("canary",)))
    assert "canary" in metric(whole, "one").sentence


def test_invalid_runs_of_the_window_are_no_level() -> None:
    bad = entry(60, [case(name, 200.0, invalid=("swapped",)) for name in NAMES])
    assert metric(check([*window(20), bad], now()), "one").runs == 20


def test_more_memory_than_tolerated_is_a_regression_and_less_an_improvement() -> None:
    def at(share: float, limit: float = 0.02) -> Answer:
        new = one(samples={"mlx_peak_bytes": (share * (20 << 30),)})
        gate = Gate(thresholds=Thresholds(memory=limit))
        return metric(check(window(3), new, gate), "one", "mlx_peak_bytes").answer

    assert [at(1.015), at(1.025), at(0.95), at(1.025, 0.05)] == [
        Answer.SAME,
        Answer.REGRESSED,
        Answer.IMPROVED,
        Answer.SAME,
    ]


def test_memory_and_quality_that_were_won_and_are_lost_again_are_regressions() -> None:
    lean = {"samples": {"mlx_peak_bytes": (float(18 << 30),)}, "artifact_score": 0.0}
    for lasted, answer in ((1, Answer.SAME), (3, Answer.REGRESSED)):
        earlier = [*window(12), *(entry(100 + number, [case("one", **lean)]) for number in range(lasted))]
        found = check(earlier, entry(500, [case("one")]))
        assert metric(found, "one", "mlx_peak_bytes").answer is answer
        assert metric(found, "one", "artifact_score").answer is answer


def test_memory_that_was_not_measured_is_not_called_the_same() -> None:
    assert metric(check(window(3), one(samples={})), "one", "mlx_peak_bytes").answer is Answer.INCONCLUSIVE


def test_other_frames_are_a_regression() -> None:
    found = check(window(3), one(frames_sha256=("b" * 64,)))
    assert metric(found, "one", "frames").answer is Answer.REGRESSED
    assert metric(found, "two", "frames").answer is Answer.SAME


def test_a_case_that_gives_two_videos_now_is_a_regression() -> None:
    found = metric(check(window(3), one(frames_sha256=("a" * 64, "b" * 64))), "one", "frames")
    assert (found.answer, "2 different videos" in found.sentence) == (Answer.REGRESSED, True)


def test_frames_that_were_never_twice_the_same_cannot_be_judged_by_hash() -> None:
    earlier = [entry(number, [case("one", frames_sha256=(f"{number:064d}",))]) for number in range(3)]
    found = metric(check(earlier, entry(500, [case("one", frames_sha256=("b" * 64,))])), "one", "frames")
    assert found.answer is Answer.INCONCLUSIVE


def test_a_psnr_floor_lets_frames_differ_that_much() -> None:
    gate = Gate(thresholds=Thresholds(frames=40.0))

    def at(psnr_db: float | str) -> Answer:
        found = check(window(3), one(frames_sha256=("b" * 64,)), gate, pictures=lambda _entry, _name: psnr_db)
        return metric(found, "one", "frames").answer

    assert [at(45.0), at(35.0)] == [Answer.SAME, Answer.REGRESSED]
    assert at("the run is not here") is Answer.REGRESSED


def test_pictures_that_drift_are_held_against_the_oldest_that_are_still_here() -> None:
    earlier = [entry(number, [case("one", frames_sha256=(f"{number:064d}",))]) for number in range(4)]
    here = {"run-001": 35.0, "run-003": 45.0}
    found = check(
        earlier,
        entry(500, [case("one", frames_sha256=("b" * 64,))]),
        Gate(thresholds=Thresholds(frames=40.0)),
        pictures=lambda each, _name: here.get(each.id, "not here"),
    )
    told = metric(found, "one", "frames")
    assert (told.answer, told.new) == (Answer.REGRESSED, 35.0)
    assert "run-001" in told.sentence


def test_quality_may_fall_by_so_much() -> None:
    assert metric(check(window(3), one(artifact_score=0.5)), "one", "artifact_score").answer is Answer.SAME
    assert metric(check(window(3), one(artifact_score=0.6)), "one", "artifact_score").answer is Answer.REGRESSED
    assert metric(check(window(3), one(artifact_score=None)), "one", "artifact_score").answer is Answer.INCONCLUSIVE


def test_a_case_that_failed_is_a_regression_even_without_a_baseline() -> None:
    lost = one(outcomes=("ok", "GPU watchdog"), failure="the system ended it")
    for earlier in ([], window(3)):
        found = metric(check(earlier, lost), "one", "outcome")
        assert found.answer is Answer.REGRESSED
        assert "GPU watchdog: the system ended it" in found.sentence
    assert check([], lost).exit_code == 8


def test_a_case_that_always_failed_is_not_news() -> None:
    earlier = [entry(1, [case("one", outcomes=("failed",), samples={})])]
    assert check(earlier, entry(500, [case("one", outcomes=("failed",), samples={})])).exit_code == 0


def test_an_interrupted_case_is_open() -> None:
    assert metric(check(window(3), one(outcomes=("interrupted",))), "one", "outcome").answer is Answer.INCONCLUSIVE


def test_a_case_that_vanished_is_a_regression_unless_it_was_left_out_on_purpose() -> None:
    part = entry(500, [case(name) for name in NAMES[:3]])
    found = check(window(3), part)
    assert (metric(found, "four", "outcome").answer, found.exit_code) == (Answer.REGRESSED, 8)
    assert check(window(3), part, partial=True).exit_code == 0


def test_a_case_that_was_accepted_away_is_not_missed() -> None:
    without = entry(100, [case(name) for name in NAMES[:3]], accepts=NAMES[:3])
    assert check([*window(3), without], entry(500, [case(name) for name in NAMES[:3]])).exit_code == 0


def test_what_was_accepted_of_another_case_does_not_excuse_a_vanished_one() -> None:
    part = [case(name) for name in NAMES[:3]]
    accepted = entry(100, part, accepts=("one",))
    assert check([*window(3), accepted], entry(500, part)).exit_code == 8
    gone = entry(101, part, accepts=("four",))
    assert check([*window(3), accepted, gone], entry(500, part)).exit_code == 0
    back = entry(102, [case(name) for name in NAMES])
    assert check([*window(3), gone, back], entry(500, part)).exit_code == 8, "measured again since"


def test_a_case_that_vanished_with_an_upgrade_of_the_system_is_missed_all_the_same() -> None:
    upgraded = entry(
        500,
        [case(name, conditions={**CONDITIONS, "os": "macOS 26.2"}) for name in NAMES[:3]],
        machine=MAC.model_copy(update={"os": "macOS 26.2"}),
    )
    found = check(window(3), upgraded)
    assert [name for name, _ in found.regressed] == ["four"]


def test_a_new_case_is_missing_from_the_baseline_and_no_regression() -> None:
    found = check(window(3), entry(500, [*(case(name) for name in NAMES), case("five")]))
    assert (metric(found, "five", "all").answer, found.exit_code) == (Answer.MISSING, 0)


@pytest.mark.parametrize(("field", "value"), [("os", "macOS 26.2"), ("chip", "Apple M5")])
def test_another_system_or_chip_is_not_comparable_and_no_regression(field: str, value: str) -> None:
    other = {**CONDITIONS, field: value}
    new = entry(500, [case(name, 150.0, conditions=other, frames_sha256=("b" * 64,)) for name in NAMES])
    found = check(window(20), new)
    assert {each.answer for each in found.cases} == {Answer.NOT_COMPARABLE}
    assert value in metric(found, "one", "all").sentence
    assert found.exit_code == 0


def test_a_series_goes_on_after_a_stay_on_another_system() -> None:
    stay = entry(90, [case(name, 150.0, conditions={**CONDITIONS, "os": "macOS 27"}) for name in NAMES])
    assert metric(check([*window(20), stay], now()), "one").runs == 20


def test_another_setting_of_a_case_is_not_comparable() -> None:
    found = check(window(5), one(settings={"steps": "40"}))
    assert "case (steps): 8, then 40" in metric(found, "one", "all").sentence


def test_an_accepted_level_begins_a_segment() -> None:
    slow = [
        entry(
            100 + number, [case(name, 110.0 + 0.3 * (number % 3)) for name in NAMES], accepts=NAMES[:1] * (number == 0)
        )
        for number in range(6)
    ]
    found = check([*window(20), *slow], now(dict.fromkeys(NAMES, 110.3)))
    assert metric(found, "one").runs == 6
    assert not metric(found, "one").suspected
    assert metric(found, "two").runs > 20


def test_other_matrices_engines_and_the_run_itself_are_no_baseline() -> None:
    mine = now()
    others = [
        entry(1, mine.cases, matrix="other"),
        entry(2, mine.cases, engine="scripted"),
        mine,
    ]
    assert check(others, mine).baseline == ()


def test_thresholds_hold_by_metric_and_by_case() -> None:
    gate = Gate(
        thresholds=Thresholds(generation=0.5, frames="off"),
        cases=(CaseGate(case="t*", thresholds=Thresholds(generation=0.03)),),
    )
    found = check(window(30), now({"one": 140.0, "two": 140.0}), gate)
    assert metric(found, "two").suspected
    assert not metric(found, "one").suspected
    assert all(each.metric != "frames" for each in found.cases[0].metrics)


def test_a_metric_that_is_off_is_not_judged() -> None:
    found = check(window(30), now({"one": 200.0}), Gate(thresholds=Thresholds(generation="off")))
    assert (found.exit_code, [each.metric for each in found.cases[0].metrics]) == (
        0,
        ["outcome", "mlx_peak_bytes", "frames", "artifact_score"],
    )


def test_strict_ends_with_7_where_anything_is_open() -> None:
    assert check(window(3), now(), strict=True).exit_code == 7
    quiet = window(34, sd=0.003)
    assert check(quiet, now(), strict=True).exit_code == 0
    assert check(quiet, one(frames_sha256=("b" * 64,)), strict=True).exit_code == 8


def test_a_time_of_0_has_no_ratio() -> None:
    new = one(samples={"generation_s": (0.0,), "mlx_peak_bytes": (float(20 << 30),)})
    assert metric(check(window(20), new), "one").answer is Answer.INCONCLUSIVE


def test_the_machine_of_a_vanished_case_is_the_runs_own() -> None:
    other = MAC.model_copy(update={"chip": "Apple M5"})
    earlier = [entry(1, [case("elsewhere")], machine=other)]
    assert check(earlier, now()).exit_code == 0


def test_a_run_in_which_most_rounds_were_disturbed_is_no_slower_code() -> None:
    """Heat and interruptions slow some rounds, other code slows them all."""
    some, every = (100.0, 100.4, 116.0, 118.0, 117.0), (115.0, 115.4, 116.0, 118.0, 117.0)
    for rounds, suspected in ((some, False), (every, True)):
        new = entry(500, [case("one", samples={"generation_s": rounds}), *(case(name) for name in NAMES[1:])])
        assert metric(check(window(20), new), "one").suspected is suspected


def suspicion(**changes: object) -> Finding:
    fields: dict[str, object] = {
        "metric": "generation_s",
        "case": "one",
        "test": Test.BESIDE,
        "k": 1,
        "runs": 30,
        "log": 0.06,
        "error": 0.01,
        "df": 30.0,
        "p": 1e-4,
        "threshold": 0.03,
        "fastest": 0.06,
        "p_adjusted": 1e-3,
    }
    return Finding(**(fields | changes))


def test_a_rerun_needs_the_direction_the_size_and_the_evidence_that_the_suspicion_lacks() -> None:
    assert confirmed(suspicion(), 1.05, 0.01)
    assert not confirmed(suspicion(), 0.95, 0.01), "the other way"
    assert not confirmed(suspicion(), 1.025, 0.01), "less than half of its size"
    assert not confirmed(suspicion(log=0.031), 1.02, 0.01), "both together within the threshold"
    assert not confirmed(suspicion(), 1.05, 0.11), "too little evidence for both"
    assert not confirmed(suspicion(p_adjusted=1e-9), 1.05, 0.11), "a rerun that shows nothing, whatever came before"
    assert confirmed(suspicion(p_adjusted=1e-9), 1.05, 0.09)
    assert not confirmed(suspicion(p_adjusted=5e-3), 1.05, 0.09), "too little in both together"


def test_a_rerun_after_several_slow_runs_is_held_against_those_before_them() -> None:
    earlier = np.log(100 * (1 + 0.01 * np.random.Generator(np.random.Philox(key=0)).standard_normal((20, 4))))
    slow = np.vstack([earlier, np.full((4, 4), np.log(106.0))])
    new = np.full(4, np.log(106.0))
    group = Group("generation_s", NAMES, slow, new, (0.03,) * 4, np.vstack([slow, new]))
    of_five = suspicion(test=Test.TOGETHER, case=None, k=5)
    assert confirm([group], of_five, "one", ())[1] < confirm([group], suspicion(test=Test.TOGETHER), "one", ())[1] / 10


def test_a_rerun_that_leaves_it_open_is_repeated_and_counts_with_the_others() -> None:
    asked: list[int] = []

    def again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        asked.append(1)
        time_s = (103.4, 106.5)[len(asked) - 1]
        return entry(900 + len(asked), [case(name, time_s if name == "one" else 100.0) for name in (*names, *controls)])

    found = metric(check(window(20, sd=0.018), now({"one": 106.5}), again=again), "one")
    assert len(asked) == 2
    assert found.rerun.runs == ("run-901", "run-902")
    assert found.rerun.ratio == pytest.approx(1.05, abs=0.01)


def test_a_machine_that_is_slow_in_the_rerun_confirms_nothing_about_one_case_of_it() -> None:
    """Every case was suspected, so that there is no control: the others of the rerun are what it stands beside."""
    times = {**dict.fromkeys(NAMES, 110.0), "one": 140.0}
    _, again = repeat(dict.fromkeys(NAMES, 118.0))
    earlier = [each.model_copy(update={"matmul_flops_per_s": 1e13}) for each in window(30)]

    def slow_again(names: Sequence[str], controls: Sequence[str]) -> Entry:
        return again(names, controls).model_copy(update={"matmul_flops_per_s": 0.9e13})

    found = check(earlier, now(times, matmul_flops_per_s=0.9e13), again=slow_again)
    assert metric(found, "one").test == "beside the other cases"
    assert metric(found, "one").answer is Answer.INCONCLUSIVE


def test_what_all_cases_share_is_held_against_what_the_machine_did_to_its_own_arithmetic() -> None:
    """Times that always followed the machine's rate say more than they did without it."""
    draw = np.random.Generator(np.random.Philox(key=1))
    machine, own = 0.03 * draw.standard_normal(31), 0.004 * draw.standard_normal((31, 4))
    machine[-1] = 0.0
    values = np.log(100.0) + machine[:, None] + own
    values[-1] = np.log(106.0)
    plain, known = together(values), together(values, -machine)
    assert shift(plain[:-1], plain[-1:]).p[0] > 0.05
    assert shift(known[:-1], known[-1:]).p[0] < 1e-6
    unrelated = together(values, draw.standard_normal(31))
    assert unrelated == pytest.approx(plain, abs=0.015)


def test_a_rate_that_is_not_known_of_every_run_is_left_alone() -> None:
    some = [
        each.model_copy(update={"matmul_flops_per_s": 1e13} if index % 2 else {})
        for index, each in enumerate(window(20))
    ]
    assert metric(check(some, now(), again=None), "one").answer in (Answer.SAME, Answer.INCONCLUSIVE)
