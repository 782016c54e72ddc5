from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model import denoise as denoise_module
from ltxbench.model.cpu_streams import beside
from ltxbench.model.denoise import denoise
from ltxbench.model.guidance import Guidance
from ltxbench.model.schedule import dev_sigmas
from tests.model import stored_transformer
from tests.model.stored_transformer import FPS, GRID, stored


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Callable[[mx.DeviceType], None]:
    """Makes MLX name a device of that type as its default, whether there is one or not."""
    return lambda kind: monkeypatch.setattr(mx, "default_device", lambda: SimpleNamespace(type=kind))


def test_what_is_beside_has_a_stream_of_its_own_always_the_same(default: Callable[[mx.DeviceType], None]) -> None:
    default(mx.DeviceType.cpu)
    outside = mx.default_stream(mx.cpu)
    with beside():
        inside = mx.default_stream(mx.cpu)
    with beside():
        assert mx.default_stream(mx.cpu) == inside
    assert inside != outside
    assert mx.default_stream(mx.cpu) == outside


def test_a_gpu_goes_on_with_its_stream(default: Callable[[mx.DeviceType], None]) -> None:
    default(mx.DeviceType.gpu)
    outside = mx.default_stream(mx.cpu)
    with beside():
        assert mx.default_stream(mx.cpu) == outside


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("guidance", [Guidance(cfg=4.0), Guidance(cfg=3.0, stg=1.0, stg_blocks=(1,), rescale=0.7)])
def test_guided_steps_are_bit_for_bit_those_of_one_stream(
    guidance: Guidance, stepped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = stored_transformer.transformer()
    context, negative, latent = (stored("denoise")[f"inputs.{name}"] for name in ("context", "negative", "latent"))
    conditioning = transformer.prepare(context, GRID, FPS)
    other = transformer.prepare(negative, GRID, FPS, rotation=conditioning.rotation)

    def run() -> mx.array:
        return denoise(
            transformer, latent, dev_sigmas(6), conditioning, negative=other, guidance=guidance, stepped=stepped
        )

    side_by_side = np.array(run())
    monkeypatch.setattr(denoise_module, "beside", nullcontext)
    assert np.array_equal(side_by_side, np.array(run()))
