"""The answers, from executions that nobody had to run."""

from __future__ import annotations

import pytest

from ltxbench.audit.execution import Execution
from ltxbench.audit.records import Answer
from ltxbench.audit.rules import Pair, nothing_kept, other_seed, same_seed
from ltxbench.run.records import Phase


def made(encode_s: float = 1.0, denoise_s: float = 8.0, frames: str = "f", latent: str | None = "l") -> Execution:
    return Execution(frames, latent, {Phase.ENCODE: encode_s, Phase.DENOISE_1: denoise_s})


def test_one_phase_that_is_kept_fails_though_the_total_hardly_moves():
    finding = nothing_kept([made(encode_s=0.5)] * 3, [made(encode_s=0.01)])
    assert finding.answer is Answer.FAILED
    assert "phase encode takes 0.01 s" in finding.sentence


def test_noise_of_fresh_executions_raises_the_threshold():
    fresh = [made(denoise_s=8.0), made(denoise_s=9.0), made(denoise_s=8.5)]
    finding = nothing_kept(fresh, [made(denoise_s=6.9)])
    assert finding.answer is Answer.PASSED
    assert finding.noise == pytest.approx(0.5 / 9)
    assert finding.threshold == pytest.approx(1.5 / 9)
    assert nothing_kept([made(), made()], [made(denoise_s=6.9)]).answer is Answer.FAILED


def test_fresh_executions_that_vary_too_much_test_nothing():
    fresh = [made(encode_s=1.0, denoise_s=8.0), made(encode_s=2.0, denoise_s=16.0)]
    assert nothing_kept(fresh, [made(encode_s=0.0, denoise_s=0.0)]).answer is Answer.UNTESTED


def test_every_repetition_must_be_faster():
    assert nothing_kept([made(), made()], [made(denoise_s=4.0), made()]).answer is Answer.PASSED
    assert nothing_kept([made(), made()], [made(denoise_s=4.0), made(denoise_s=4.0)]).answer is Answer.FAILED


def test_a_repetition_that_was_disturbed_shows_nothing():
    fresh = [made(), made()]
    disturbed = nothing_kept(fresh, [made(denoise_s=24.0)])
    assert disturbed.answer is Answer.UNTESTED
    assert "may hide" in disturbed.sentence
    assert nothing_kept(fresh, [made(denoise_s=24.0), made()]).answer is Answer.PASSED
    assert nothing_kept(fresh, [made(denoise_s=24.0), made(denoise_s=4.0)]).answer is Answer.FAILED


def test_phases_below_a_clocks_grain_are_left_to_the_total():
    assert nothing_kept([made(encode_s=0.01), made(encode_s=0.01)], [made(encode_s=0.0)]).answer is Answer.PASSED


def test_one_fresh_execution_shows_no_noise():
    finding = nothing_kept([made(), Execution(failure="it broke")], [made(denoise_s=0.1)])
    assert finding.answer is Answer.UNTESTED


def test_equal_frames_of_different_latents_are_not_the_same():
    finding = same_seed([Pair(made(), made(latent="other"), "two")])
    assert finding.answer is Answer.FAILED
    assert finding.sentence == "Two: the latents differ."


def test_a_seed_that_moves_the_latent_and_not_the_frames_fails():
    assert other_seed(made(), made(latent="other")).answer is Answer.FAILED
    assert other_seed(made(), made(latent="other", frames="other")).answer is Answer.PASSED


def test_nothing_to_compare_with_is_not_passed():
    finding = same_seed([Pair(made(), Execution(failure="it broke"), "two")], ["weights differ"])
    assert finding.answer is Answer.UNTESTED
    assert finding.sentence == "Two: not compared, it broke; weights differ."
