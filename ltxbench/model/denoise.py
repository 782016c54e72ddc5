"""The denoising loop: Euler steps along the noise levels, in float32.

Official: ltx_pipelines.utils.samplers.euler_denoising_loop with ltx_core's X0Model, MultiModalGuider and
EulerDiffusionStep. The official latent is held in bfloat16, this one in float32; only the model's input is cast.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import mlx.core as mx

from ltxbench.errors import LtxbenchError
from ltxbench.model.cpu_streams import beside
from ltxbench.model.device_queue import DeviceQueue
from ltxbench.model.guidance import Guidance
from ltxbench.model.schedule import Sigmas
from ltxbench.model.transformer import Conditioning, VideoTransformer

OnStep = Callable[[float, int], AbstractContextManager[None]]
"""on_step(sigma, forwards) is entered around each step, its evaluation included: entered when the latent before is
computed, left when the step's own is. By then a GPU has been given the beginning of the next step, so that it never
waits for the host between two."""


class InvalidLatent(LtxbenchError):
    """The latent holds NaN or infinity after the step `step`, counted from 0."""

    def __init__(self, step: int, sigma: float) -> None:
        super().__init__(
            f"the latent became NaN or infinite in denoising step {step} (sigma {sigma:.6g})",
            hint="The weights may be damaged, or a LoRA too strong.",
        )
        self.step, self.sigma = step, sigma


def denoise(
    transformer: VideoTransformer,
    latent: mx.array,
    sigmas: Sigmas,
    conditioning: Conditioning,
    *,
    negative: Conditioning | None = None,
    guidance: Guidance | None = None,
    joined: Conditioning | None = None,
    mask: mx.array | None = None,
    clean: mx.array | None = None,
    stepped: bool = True,
    on_step: OnStep = lambda sigma, forwards: nullcontext(),  # noqa: ARG005 - called by position
) -> mx.array:
    """The latent [B, N, C] in float32 at the last of `sigmas`, from the one at the first.

    negative  conditioning on the negative prompt, needed when guidance.cfg is not 1
    joined    conditioning on both prompts: their forwards are then one of twice the batch, not one after the other
    mask      [B, N] in 0..1: how much of each token is denoised, for conditioning on images
    clean     [B, N, C]: what the rest of a masked token is held at; the given latent where that is None
    stepped   each step is evaluated within its `on_step`; otherwise all of them at the end, as one computation

    Raises InvalidLatent that names the first step to yield NaN or infinity.
    """
    guidance = guidance or Guidance()
    if guidance.needs_negative and negative is None:
        raise ValueError("classifier-free guidance needs the conditioning on a negative prompt")
    latent = latent.astype(mx.float32)
    clean = latent if clean is None else clean.astype(mx.float32)
    predict = _Predictor(transformer, guidance, conditioning, negative, joined, rows=latent.shape[1])
    finite: list[mx.array] = []

    with _Steps(on_step, sigmas if stepped else sigmas[:1], guidance.forwards) as steps:
        for step, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            levels = mx.full(latent.shape[:1], float(sigma)) if mask is None else mask * float(sigma)
            denoised = predict(latent, levels)
            if mask is not None:
                denoised = denoised * mask[..., None] + clean * (1 - mask[..., None])
            velocity = (latent - denoised) / float(sigma)
            latent = latent + velocity * float(sigma_next - sigma)
            finite.append(mx.isfinite(latent).all())
            if stepped:
                predict.queue.finish(latent, finite[step], then=partial(steps.end, step, finite[step]))
        predict.queue.drain()
    if not stepped:
        mx.eval(latent, finite)
        for step, ok in enumerate(finite):
            _check(step, float(sigmas[step]), ok)
    return latent


class _Steps:
    """Is in the `on_step` of the step that the device is at, which lies behind the one that the host prepares."""

    def __init__(self, on_step: OnStep, sigmas: Sigmas, forwards: int) -> None:
        self._on_step, self._sigmas, self._forwards = on_step, sigmas, forwards
        self._within = ExitStack()

    def __enter__(self) -> _Steps:
        self._begin(0)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._within.__exit__(*exception)

    def end(self, step: int, finite: mx.array) -> None:
        self._within.close()
        _check(step, float(self._sigmas[step]), finite)
        self._begin(step + 1)

    def _begin(self, step: int) -> None:
        if step + 1 < len(self._sigmas):
            self._within.enter_context(self._on_step(float(self._sigmas[step]), self._forwards))


def _check(step: int, sigma: float, finite: mx.array) -> None:
    if not finite.item():
        raise InvalidLatent(step, sigma)


class _Predictor:
    """The guided prediction of the clean latent; the forwards of all steps share one queue."""

    def __init__(
        self,
        transformer: VideoTransformer,
        guidance: Guidance,
        conditioning: Conditioning,
        negative: Conditioning | None,
        joined: Conditioning | None,
        *,
        rows: int,
    ) -> None:
        self.transformer, self.guidance = transformer, guidance
        self.conditioning = conditioning
        self.negative = negative if guidance.needs_negative else None
        self.joined = joined if guidance.needs_negative else None
        self.queue: DeviceQueue = transformer.queue(rows * (self.joined or conditioning).batch)

    def __call__(self, latent: mx.array, levels: mx.array) -> mx.array:
        uncond = perturbed = None
        if self.joined is not None:
            # A single sample parts within the transformer, where the prompts are first seen.
            copies = 2 if latent.shape[0] > 1 else 1
            both = self._clean(mx.concatenate([latent] * copies), mx.concatenate([levels] * copies), self.joined)
            cond, uncond = mx.split(both, 2)
        else:
            cond = self._clean(latent, levels, self.conditioning)
            if self.negative is not None:
                with beside():
                    uncond = self._clean(latent, levels, self.negative)
        if self.guidance.needs_perturbed:
            perturbed = self._clean(latent, levels, self.conditioning, skip=self.guidance.stg_blocks)
        return self.guidance.combine(cond, uncond, perturbed)

    def _clean(
        self, latent: mx.array, levels: mx.array, conditioning: Conditioning, *, skip: tuple[int, ...] = ()
    ) -> mx.array:
        """latent - sigma * velocity, with sigma [B] or, one a token, [B, N]; one batch after the other a prompt."""
        velocity = self.transformer(latent, levels, conditioning, skip_self_attention=skip, queue=self.queue)
        return latent - velocity.astype(mx.float32) * levels.reshape(levels.shape[0], -1, 1)


def pack(latent: mx.array) -> mx.array:
    """[B, C, F, H, W] to tokens [B, F * H * W, C]."""
    return latent.flatten(2).swapaxes(1, 2)


def unpack(tokens: mx.array, grid: tuple[int, int, int]) -> mx.array:
    """Tokens [B, F * H * W, C] to [B, C, F, H, W]."""
    return tokens.swapaxes(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid)
