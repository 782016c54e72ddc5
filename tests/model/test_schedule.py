from __future__ import annotations

import numpy as np
import pytest

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Case, LoraUse, Model, Schedule
from ltxbench.model.schedule import (
    dev_sigmas,
    distilled_sigmas,
    sigmas_for,
    stage_2_sigmas,
    time_shifted_distilled_sigmas,
)
from tests.model.golden import golden


def case(**fields: object) -> Case:
    return Case.model_validate({"name": "case", "title": "Case"} | fields)


def test_dev_sigmas_equal_the_golden_lists() -> None:
    for steps, tokens, expected in golden()["sigmas"]:
        assert np.array_equal(dev_sigmas(steps, tokens), np.float32(expected))


def test_dev_sigmas_assume_4096_tokens() -> None:
    assert np.array_equal(dev_sigmas(40), dev_sigmas(40, 4096))


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 40, 100])
@pytest.mark.parametrize("tokens", [1, 1024, 1536, 4096, 9216])
def test_dev_sigmas_fall_from_one_through_a_tenth_to_zero(steps: int, tokens: int) -> None:
    sigmas = dev_sigmas(steps, tokens)
    assert sigmas.dtype == np.float32
    assert len(sigmas) == steps + 1
    assert sigmas[-1] == 0
    assert (np.diff(sigmas) < 0).all()
    if steps > 1:
        assert sigmas[0] == pytest.approx(1, abs=1e-6)
        assert sigmas[-2] == pytest.approx(0.1, abs=1e-6)


def test_a_schedule_without_steps_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one step"):
        dev_sigmas(0)


def test_the_distilled_lists_are_the_published_ones() -> None:
    assert np.array_equal(
        distilled_sigmas(), np.float32([1, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0])
    )
    assert np.array_equal(stage_2_sigmas(), distilled_sigmas()[5:])


def test_the_time_shifted_list_is_the_one_published_for_1536_tokens() -> None:
    published = [1, 0.99406, 0.98807, 0.98202, 0.97593, 0.90861, 0.68005, 0.1, 0]
    assert np.allclose(time_shifted_distilled_sigmas(1536), published, atol=5.1e-6)


def test_the_time_shift_counts_no_more_than_4096_tokens() -> None:
    assert np.array_equal(time_shifted_distilled_sigmas(9216), time_shifted_distilled_sigmas(4096))
    assert not np.array_equal(time_shifted_distilled_sigmas(4095), time_shifted_distilled_sigmas(4096))


def test_a_distilled_case_follows_the_plain_lists_in_both_stages() -> None:
    two_stage = case(two_stage=True)
    first, second = two_stage.stages
    assert np.array_equal(sigmas_for(two_stage, first), distilled_sigmas())
    assert np.array_equal(sigmas_for(two_stage, second), stage_2_sigmas())


def test_dev_weights_with_the_lora_throughout_follow_the_distilled_list() -> None:
    fused = case(model=Model.DEV, distilled_lora=LoraUse.ALL)
    assert np.array_equal(sigmas_for(fused, fused.stages[0]), distilled_sigmas())


def test_a_dev_case_ignores_its_size_unless_told_to_count_tokens() -> None:
    official = case(model=Model.DEV, steps=40)
    assert np.array_equal(sigmas_for(official, official.stages[0]), dev_sigmas(40, 4096))
    counted = case(model=Model.DEV, steps=40, schedule=Schedule.TOKEN_COUNT)
    assert np.array_equal(sigmas_for(counted, counted.stages[0]), dev_sigmas(40, 1536))


def test_tokens_are_counted_at_the_stage_s_own_size() -> None:
    shifted = case(two_stage=True, schedule=Schedule.TIME_SHIFTED)
    first, second = shifted.stages
    assert np.array_equal(sigmas_for(shifted, first), time_shifted_distilled_sigmas(384))
    assert np.array_equal(sigmas_for(shifted, second), stage_2_sigmas())


def test_another_number_of_steps_than_the_distilled_eight_is_refused() -> None:
    short = case(steps=4)
    with pytest.raises(UsageError, match="stage 1 has 4 steps, but the distilled schedule has 8"):
        sigmas_for(short, short.stages[0])
