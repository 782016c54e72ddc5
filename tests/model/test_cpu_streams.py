from __future__ import annotations

from contextlib import nullcontext

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

on_a_cpu = pytest.mark.skipif(mx.default_device().type == mx.DeviceType.gpu, reason="a GPU has one stream here")


@on_a_cpu
def test_what_is_beside_has_a_stream_of_its_own_always_the_same() -> None:
    outside = mx.default_stream(mx.cpu)
    with beside():
        inside = mx.default_stream(mx.cpu)
    with beside():
        assert mx.default_stream(mx.cpu) == inside
    assert inside != outside
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
