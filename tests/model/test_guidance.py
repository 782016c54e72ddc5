from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.guidance import Guidance
from ltxbench.model.noise import initial_noise

COND, NEGATIVE, PERTURBED = (initial_noise(0, (1, 12, 5), stream=stream) for stream in range(3))


def combine(guidance: Guidance, negative: bool = True, perturbed: bool = True) -> np.ndarray:
    return np.array(
        guidance.combine(
            mx.array(COND), mx.array(NEGATIVE) if negative else None, mx.array(PERTURBED) if perturbed else None
        )
    )


def test_without_guidance_the_conditional_prediction_stands() -> None:
    assert np.array_equal(combine(Guidance(), negative=False, perturbed=False), COND)
    assert Guidance().forwards == 1


@pytest.mark.parametrize(
    ("guidance", "forwards"),
    [(Guidance(cfg=4), 2), (Guidance(stg=1, stg_blocks=(29,)), 2), (Guidance(cfg=3, stg=1, stg_blocks=(29,)), 3)],
)
def test_each_guidance_costs_a_forward(guidance: Guidance, forwards: int) -> None:
    assert guidance.forwards == forwards


def test_predictions_are_pushed_away_from_the_negative_and_the_perturbed_one() -> None:
    expected = COND + 2 * (COND - NEGATIVE) + 1.5 * (COND - PERTURBED)
    assert np.allclose(combine(Guidance(cfg=3, stg=1.5)), expected, atol=1e-5)


@pytest.mark.parametrize("rescale", [0.3, 0.7, 1.0])
def test_rescaling_moves_the_deviation_towards_the_conditional_one(rescale: float) -> None:
    plain, rescaled = combine(Guidance(cfg=4)), combine(Guidance(cfg=4, rescale=rescale))
    assert rescaled.std() == pytest.approx(rescale * COND.std() + (1 - rescale) * plain.std(), rel=1e-5)
    ratio = rescaled / plain
    assert np.allclose(ratio, ratio.flat[0], rtol=1e-4)
