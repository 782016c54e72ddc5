"""Noise levels (sigmas) of the denoising steps, from 1 down to 0, in float32.

Official: ltx_core.components.schedulers.LTX2Scheduler and the constants of ltx_pipelines. Every value equals the
official one bit for bit, so the order of the float32 operations below is the official one.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Case, Schedule, Stage
from ltxbench.model.float32 import linspace

Sigmas = npt.NDArray[np.float32]

DISTILLED = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0)
STAGE_2 = (0.909375, 0.725, 0.421875, 0.0)

BASE_TOKENS, BASE_SHIFT = 1024, 0.95
MAX_TOKENS, MAX_SHIFT = 4096, 2.05
TERMINAL_SIGMA = 0.1

_ONE = np.float32(1)


def distilled_sigmas() -> Sigmas:
    """The nine values of the distilled model's eight steps."""
    return np.array(DISTILLED, np.float32)


def stage_2_sigmas() -> Sigmas:
    """The four values of the three steps after upscaling; the first one is also the share of fresh noise."""
    return np.array(STAGE_2, np.float32)


def dev_sigmas(steps: int, tokens: int = MAX_TOKENS) -> Sigmas:
    """steps + 1 values for the undistilled model: uniform, shifted by the token count, stretched to end at 0.1.

    The official pipelines give no latent to the scheduler, hence its default of 4,096 tokens for every size.
    """
    if steps < 1:
        raise UsageError(f"a schedule needs at least one step, not {steps}")
    return _with_zero(_stretch(_shift(linspace(1, 0, steps + 1)[:-1], tokens)))


def time_shifted_distilled_sigmas(tokens: int) -> Sigmas:
    """The distilled values moved by the dev schedule's shift and stretch, as ltx-video-swift-mlx does.

    Swift's program counts no more than 4,096 tokens; its second stage keeps the plain values.
    """
    return _with_zero(_stretch(_shift(distilled_sigmas()[:-1], min(tokens, MAX_TOKENS))))


def sigmas_for(case: Case, stage: Stage) -> Sigmas:
    """The schedule of one stage: stage.steps + 1 values.

    Raises UsageError when a distilled schedule is asked for another number of steps than it has.
    """
    tokens = case.latent_frames * stage.tokens_per_latent_frame
    if not stage.distilled_sigmas:
        return dev_sigmas(stage.steps, tokens if case.schedule is Schedule.TOKEN_COUNT else MAX_TOKENS)
    if stage.index > 1:
        sigmas = stage_2_sigmas()
    elif case.schedule is Schedule.TIME_SHIFTED:
        sigmas = time_shifted_distilled_sigmas(tokens)
    else:
        sigmas = distilled_sigmas()
    if stage.steps != len(sigmas) - 1:
        raise UsageError(
            f"case {case.name}: stage {stage.index} has {stage.steps} steps, but the distilled schedule has"
            f" {len(sigmas) - 1}",
            hint="The distilled weights were trained for these noise levels only.",
        )
    return sigmas


def _shift(sigmas: Sigmas, tokens: int) -> Sigmas:
    """Moves the levels up, the more the larger the latent: e^mu / (e^mu + 1/sigma - 1), mu linear in the tokens."""
    slope = (MAX_SHIFT - BASE_SHIFT) / (MAX_TOKENS - BASE_TOKENS)
    weight = np.float32(math.exp(tokens * slope + (BASE_SHIFT - slope * BASE_TOKENS)))
    shifted: Sigmas = weight * (_ONE / (weight + (_ONE / sigmas - _ONE)))
    return shifted


def _stretch(sigmas: Sigmas) -> Sigmas:
    """Scales 1 - sigma so that the last level is 0.1. A lone level of exactly 1 has nothing to scale."""
    signal = _ONE - sigmas
    if signal[-1] == 0:
        return sigmas
    stretched: Sigmas = _ONE - signal / (signal[-1] / np.float32(1 - TERMINAL_SIGMA))
    return stretched


def _with_zero(sigmas: Sigmas) -> Sigmas:
    return np.append(sigmas, np.float32(0))
