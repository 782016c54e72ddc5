from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.errors import LtxbenchError
from ltxbench.model import device_queue
from ltxbench.model.denoise import InvalidLatent, denoise, pack, unpack
from ltxbench.model.device_queue import DeviceQueue
from ltxbench.model.guidance import Guidance
from ltxbench.model.positions import token_positions
from ltxbench.model.schedule import Sigmas, dev_sigmas, distilled_sigmas
from ltxbench.model.transformer import Conditioning, VideoTransformer
from tests.model import stored_transformer
from tests.model.stored_transformer import FPS, GRID, stored

CFG = Guidance(cfg=4.0)
FULL = Guidance(cfg=3.0, stg=1.0, stg_blocks=(1,), rescale=0.7)


@pytest.fixture(scope="module")
def transformer() -> VideoTransformer:
    return stored_transformer.transformer()


@pytest.fixture(scope="module")
def texts(transformer: VideoTransformer) -> tuple[Conditioning, Conditioning]:
    context, negative = (stored("denoise")[f"inputs.{name}"] for name in ("context", "negative"))
    conditioning = transformer.prepare(context, GRID, FPS)
    return conditioning, transformer.prepare(negative, GRID, FPS, rotation=conditioning.rotation)


def relative_error(out: mx.array, reference: mx.array) -> float:
    out, reference = np.array(out, np.float64), np.array(reference, np.float64)
    return float(np.linalg.norm(out - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize(
    ("expected", "sigmas", "guidance"),
    [
        ("distilled", distilled_sigmas(), None),
        ("cfg", dev_sigmas(6), CFG),
        ("cfg_stg_rescale", dev_sigmas(6), FULL),
    ],
)
def test_a_loop_ends_at_the_official_latent(
    transformer: VideoTransformer,
    texts: tuple[Conditioning, Conditioning],
    expected: str,
    sigmas: Sigmas,
    guidance: Guidance | None,
) -> None:
    conditioning, negative = texts
    latent = stored("denoise")["inputs.latent"]
    for joined in (None, conditioning.joined(negative)):
        out = denoise(transformer, latent, sigmas, conditioning, negative=negative, guidance=guidance, joined=joined)
        assert out.dtype == mx.float32
        assert relative_error(out, stored("denoise")[f"expected.{expected}"]) <= 1e-5


def test_every_step_is_announced_and_evaluated_within(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []
    evaluate = mx.eval

    @contextmanager
    def step(sigma: float, forwards: int) -> Iterator[None]:
        events.append((sigma, forwards))
        yield
        events.append("end")

    def recorded(*arrays: object) -> None:
        evaluate(*arrays)
        events.append("eval")

    monkeypatch.setattr(mx, "eval", recorded)
    conditioning, negative = texts
    sigmas = dev_sigmas(2)
    latent = stored("denoise")["inputs.latent"]
    denoise(transformer, latent, sigmas, conditioning, negative=negative, guidance=FULL, on_step=step)
    expected: list[object] = []
    for sigma in sigmas[:-1]:
        expected += [(float(sigma), 3), "eval", "end"]
    assert events == expected


def test_a_step_that_runs_ahead_ends_when_its_latent_is_computed_and_the_next_one_is_begun(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the queue of a GPU on the device at hand: MLX hands work over on a CPU, too."""
    latent, sigmas = stored("denoise")["inputs.latent"], distilled_sigmas()
    behind = denoise(transformer, latent, sigmas, texts[0])

    monkeypatch.setattr(device_queue, "on_gpu", lambda: True)
    submitted: list[int] = []
    submit = DeviceQueue.submit
    monkeypatch.setattr(DeviceQueue, "submit", lambda queue, piece: (submitted.append(1), submit(queue, piece))[1])
    at_end: list[tuple[float, int]] = []

    @contextmanager
    def step(sigma: float, forwards: int) -> Iterator[None]:
        yield
        at_end.append((sigma, len(submitted)))

    ahead = denoise(transformer, latent, sigmas, texts[0], on_step=step)
    assert mx.array_equal(ahead, behind)
    assert [sigma for sigma, _ in at_end] == [float(sigma) for sigma in sigmas[:-1]]
    pieces = len(submitted) // len(at_end)
    assert all(pieces * number < count < pieces * (number + 1) for number, (_, count) in enumerate(at_end[:-1], 1))
    assert at_end[-1][1] == len(submitted)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("stepped", [True, False])
def test_a_latent_that_is_not_finite_names_the_step(
    transformer: VideoTransformer,
    texts: tuple[Conditioning, Conditioning],
    stepped: bool,
    ahead: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_queue, "on_gpu", lambda: ahead)
    broken = stored_transformer.transformer()

    class FailsInThirdStep:
        calls = 0
        queue = broken.queue

        def __call__(self, *args: object, **kwargs: object) -> mx.array:
            self.calls += 1
            velocity = broken(*args, **kwargs)
            return velocity * float("nan") if self.calls == 3 else velocity

    with pytest.raises(InvalidLatent, match=r"NaN or infinite in denoising step 2 \(sigma 0\.9875\)") as caught:
        denoise(FailsInThirdStep(), stored("denoise")["inputs.latent"], distilled_sigmas(), texts[0], stepped=stepped)
    assert isinstance(caught.value, LtxbenchError)
    assert caught.value.step == 2
    infinite = mx.full((1, 24, 6), float("inf"))
    with pytest.raises(InvalidLatent, match="step 0"):
        denoise(transformer, infinite, distilled_sigmas(), texts[0], stepped=stepped)


def test_tokens_that_are_masked_out_keep_their_value(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning]
) -> None:
    latent = stored("denoise")["inputs.latent"]
    mask = mx.concatenate([mx.zeros((1, 12)), mx.ones((1, 12))], axis=1)
    out = denoise(transformer, latent, distilled_sigmas(), texts[0], mask=mask)
    assert mx.array_equal(out[:, :12], latent[:, :12])
    assert relative_error(out[:, 12:], latent[:, 12:]) > 0.1
    everything = denoise(transformer, latent, distilled_sigmas(), texts[0], mask=mx.ones((1, 24)))
    assert relative_error(everything, stored("denoise")["expected.distilled"]) <= 1e-5


@pytest.mark.parametrize("guidance", [CFG, Guidance(cfg=4.0, stg=1.0, stg_blocks=(1,))], ids=["cfg", "cfg and stg"])
def test_a_batch_is_denoised_like_its_samples(transformer: VideoTransformer, guidance: Guidance) -> None:
    inputs = stored("transformer")
    positions = np.concatenate([token_positions(GRID, fps) for fps in (24, 30)])
    conditioning, negative = (
        transformer.prepare_at(context, positions) for context in (inputs["inputs.context"], -inputs["inputs.context"])
    )
    latent = inputs["inputs.latent"]
    together = [
        denoise(transformer, latent, dev_sigmas(3), conditioning, negative=negative, guidance=guidance, joined=joined)
        for joined in (None, conditioning.joined(negative))
    ]
    assert relative_error(*together) <= 1e-5
    for sample in range(2):
        one = slice(sample, sample + 1)
        texts = [transformer.prepare_at(sign * inputs["inputs.context"][one], positions[one]) for sign in (1, -1)]
        alone = denoise(transformer, latent[one], dev_sigmas(3), texts[0], negative=texts[1], guidance=guidance)
        assert relative_error(alone, together[0][one]) <= 1e-5


def test_a_partly_masked_token_is_held_at_the_clean_value(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning]
) -> None:
    latent, clean = stored("denoise")["inputs.latent"], mx.full((1, 24, 6), 0.25)
    mask = mx.zeros((1, 24))
    sigmas = distilled_sigmas()
    # With nothing to denoise the first step goes straight towards `clean`, and the last one arrives there.
    step = denoise(transformer, latent, sigmas[:2], texts[0], mask=mask, clean=clean)
    assert mx.allclose(step, latent + (latent - clean) * float(sigmas[1] - 1), atol=1e-6)
    assert mx.allclose(denoise(transformer, latent, sigmas, texts[0], mask=mask, clean=clean), clean, atol=1e-5)


def test_guidance_without_a_negative_prompt_is_refused(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning]
) -> None:
    with pytest.raises(ValueError, match="negative prompt"):
        denoise(transformer, stored("denoise")["inputs.latent"], dev_sigmas(2), texts[0], guidance=CFG)


def test_a_negative_prompt_that_no_guidance_uses_costs_nothing(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning]
) -> None:
    latent = stored("denoise")["inputs.latent"]
    plain = denoise(transformer, latent, dev_sigmas(2), texts[0])
    both = texts[0].joined(texts[1])
    unguided = denoise(transformer, latent, dev_sigmas(2), texts[0], negative=texts[1], joined=both)
    assert mx.array_equal(plain, unguided)


def test_a_joined_conditioning_is_made_at_once_or_from_its_halves(
    transformer: VideoTransformer, texts: tuple[Conditioning, Conditioning]
) -> None:
    first, second = texts[0].joined(texts[1]).halves()
    for half, whole in ((first, texts[0]), (second, texts[1])):
        assert half.batch == 1
        assert all(mx.array_equal(a, b) for a, b in zip(half.arrays(), whole.arrays(), strict=True))


def test_packing_orders_tokens_by_frame_row_and_column() -> None:
    latent = mx.arange(2 * 5 * 24).reshape(2, 5, *GRID)
    tokens = pack(latent)
    assert tokens.shape == (2, 24, 5)
    assert tokens[1, 1 * 12 + 2 * 4 + 3, 4] == latent[1, 4, 1, 2, 3]
    assert mx.array_equal(unpack(tokens, GRID), latent)
