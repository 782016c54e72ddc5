from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ltxbench.errors import UsageError
from ltxbench.model.noise import STAGE_2_STREAM, initial_noise, sha256


def test_noise_is_the_same_on_every_machine_and_in_every_version() -> None:
    noise = initial_noise(42, (1, 3))
    assert noise.dtype == np.float32
    assert noise.tolist() == np.float32([[0.18170474, -1.2426393, -0.551553]]).tolist()
    assert sha256(initial_noise(42, (1, 128, 4, 16, 24)))[:16] == "63a5d0dd780161dd"


def test_seeds_and_streams_draw_different_noise() -> None:
    drawn = [initial_noise(seed, (64,), stream=stream) for seed in (0, 1, 2**64 - 1) for stream in (0, STAGE_2_STREAM)]
    for index, noise in enumerate(drawn):
        for other in drawn[:index]:
            assert abs(np.corrcoef(noise, other)[0, 1]) < 0.5


def test_noise_is_standard_normal() -> None:
    noise = initial_noise(7, (200_000,))
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(noise) > 3).mean() == pytest.approx(0.0027, abs=5e-4)


@pytest.mark.parametrize(("seed", "stream"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**64)])
def test_a_seed_outside_64_bits_is_refused(seed: int, stream: int) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 2\^64 - 1"):
        initial_noise(seed, (1,), stream=stream)


def test_a_hash_is_of_the_elements_in_order_whatever_their_layout() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert sha256(array) == hashlib.sha256(array.tobytes()).hexdigest()
    assert sha256(array.T) == sha256(np.ascontiguousarray(array.T)) != sha256(array)
    assert sha256(array.astype(">f4")) == sha256(array)
    assert sha256(array[:0]) == hashlib.sha256().hexdigest()
    array[0, 0] = np.nextafter(np.float32(0), np.float32(1))
    assert sha256(array) != sha256(np.arange(6, dtype=np.float32).reshape(2, 3))
