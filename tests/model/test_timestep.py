from __future__ import annotations

import mlx.core as mx
import numpy as np

from ltxbench.model.schedule import distilled_sigmas
from ltxbench.model.timestep import AdaLayerNormSingle, silu, sinusoid
from tests.model.golden import golden


def test_the_waves_of_timestep_725_are_the_golden_ones() -> None:
    waves = np.array(sinusoid(mx.array([725.0])))[0]
    assert waves.shape == (256,)
    for index, value in golden()["timestep_725"].items():
        assert abs(waves[int(index)] - value) <= np.spacing(np.float32(725))


def test_every_distilled_timestep_keeps_its_own_waves() -> None:
    timesteps = mx.array(distilled_sigmas()[:-1]) * 1000
    waves = np.array(sinusoid(timesteps))
    exact = np.float64(distilled_sigmas()[:-1, None]) * 1000 * 10000 ** (-np.arange(128) / 128)
    assert np.abs(waves - np.concatenate([np.cos(exact), np.sin(exact)], axis=-1)).max() < 2e-4


def test_a_timestep_a_token_gives_each_its_modulation() -> None:
    adaln = AdaLayerNormSingle(8)
    timesteps = mx.array([[0.0, 500.0, 1000.0], [250.0, 250.0, 3.0]])
    modulation, embedded = adaln(timesteps, mx.float32)
    assert (modulation.shape, embedded.shape) == ((2, 3, 6, 8), (2, 3, 8))
    one, one_embedded = adaln(timesteps[:1, 1:2], mx.float32)
    assert mx.allclose(modulation[0, 1], one[0, 0], atol=1e-6)
    assert mx.allclose(embedded[0, 1], one_embedded[0, 0], atol=1e-6)


def test_silu_is_rounded_once() -> None:
    x = mx.linspace(-6, 6, 301).astype(mx.bfloat16)
    exact = np.array(x.astype(mx.float32), np.float64)
    exact = exact / (1 + np.exp(-exact))
    assert mx.array_equal(silu(x), mx.array(exact.astype(np.float32)).astype(mx.bfloat16))
