"""What random weights compute: finite in bfloat16 at the 19B's depth, and pictures that an encoder can shorten."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.matrix.case import Case, Model
from ltxbench.model.denoise import denoise
from ltxbench.model.guidance import Guidance
from ltxbench.model.schedule import sigmas_for
from ltxbench.model.text import TextProjection, read_prompt
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.weights.files import RandomWeights
from ltxbench.weights.random import sizes
from ltxbench.weights.random.sizes import SMALL, Sizes
from ltxbench.weights.source import RandomSource

FULL = Sizes()
AS_DEEP = replace(
    SMALL,
    blocks=FULL.blocks,
    decoder_res_blocks=FULL.decoder_res_blocks,
    upscaler_blocks=FULL.upscaler_blocks,
    gemma_layers=FULL.gemma_layers,
)
"""As narrow as the small ones, as deep as the 19B."""


@pytest.fixture
def source(monkeypatch) -> RandomSource:
    monkeypatch.setitem(sizes.PRESETS, "deep", AS_DEEP)
    return RandomSource(RandomWeights(seed=1, size="deep"))


def spread(values: mx.array) -> float:
    return float(mx.std(values.astype(mx.float32)).item())


def test_guided_steps_through_48_blocks_in_bfloat16_stay_finite_and_of_order_one(source):
    transformer = VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.bfloat16)
    case = Case(name="a", title="A", model=Model.DEV, steps=12, guidance=4.0)
    contexts = [mx.random.normal((1, 16, AS_DEEP.caption_width), key=mx.random.key(seed)) for seed in (1, 2)]
    prompt, negative = (transformer.prepare(context, (1, 2, 2), 24) for context in contexts)
    start = mx.random.normal((1, 4, 128), key=mx.random.key(3))
    sigmas = sigmas_for(case, case.stages[0])
    latent = denoise(transformer, start, sigmas, prompt, negative=negative, guidance=Guidance(cfg=4.0))
    assert 0.1 < spread(latent) < 10
    assert spread(latent - start) > 0.1


def test_prompts_give_different_contexts_of_order_one_through_48_layers(source):
    projection = TextProjection.from_checkpoint(source.unified(Model.DEV), mx.float32)
    tokenizer, encoder = source.tokenizer(), source.text_encoder(mx.float32)
    texts = ("a beaver builds a dam", "smooth glass in the morning sun")
    contexts = [projection(read_prompt(tokenizer, encoder, text, 128)).context for text in texts]
    assert all(0.5 < spread(context) < 2 for context in contexts)
    assert spread(contexts[0] - contexts[1]) > 0.05


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_noise_decodes_to_colours_that_move_and_not_to_a_lattice(source, dtype):
    decoder = VideoDecoder.from_checkpoint(source.unified(Model.DEV), dtype)
    latent = mx.random.normal((1, 128, 2, 3, 4), key=mx.random.key(5))
    video = np.array(decoder.decode(latent).astype(mx.float32))[0]
    assert np.isfinite(video).all()
    assert 0.15 < video.std() < 1.0
    assert (np.abs(video) > 1).mean() < 0.2
    for axis in (1, 2, 3):
        assert np.abs(np.diff(video, axis=axis)).mean() < 0.3 * video.std()


def test_the_upscaled_latent_is_of_the_latent_s_size(source):
    upsampler = LatentUpsampler.from_checkpoint(source.upscaler(), mx.float32)
    statistics = PerChannelStatistics.from_checkpoint(source.unified(Model.DEV), 128)
    latent = mx.random.normal((1, 128, 2, 4, 4), key=mx.random.key(6))
    upscaled = upsampler.upsample(latent, statistics)
    assert upscaled.shape == (1, 128, 2, 8, 8)
    assert 0.3 < spread(upscaled) < 3
