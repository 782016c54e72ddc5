"""Guidance: how predictions of the clean latent are combined.

Official: ltx_core.components.guiders.MultiModalGuider without its audio term.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True)
class Guidance:
    """Strengths; the defaults do nothing."""

    cfg: float = 1.0
    """Classifier-free guidance: away from the prediction for the negative prompt. 1 is off."""
    stg: float = 0.0
    """Spatio-temporal guidance: away from the prediction with self-attention skipped in `stg_blocks`. 0 is off."""
    stg_blocks: tuple[int, ...] = ()
    rescale: float = 0.0
    """Share to which the result gets the conditional prediction's standard deviation back."""

    @property
    def needs_negative(self) -> bool:
        return self.cfg != 1

    @property
    def needs_perturbed(self) -> bool:
        return self.stg != 0

    @property
    def forwards(self) -> int:
        """Transformer forwards a step."""
        return 1 + self.needs_negative + self.needs_perturbed

    def combine(self, cond: mx.array, negative: mx.array | None, perturbed: mx.array | None) -> mx.array:
        """The guided prediction of the clean latent, in float32, from predictions of the same shape.

        `rescale` compares standard deviations over the whole tensor, so it must be done on the clean latent: on
        velocities it would give another result.
        """
        guided = cond
        if negative is not None:
            guided = guided + (self.cfg - 1) * (cond - negative)
        if perturbed is not None:
            guided = guided + self.stg * (cond - perturbed)
        if self.rescale:
            guided = guided * (self.rescale * (mx.std(cond) / mx.std(guided)) + (1 - self.rescale))
        return guided
