"""Step times that look like a machine's: offsets of rounds, steps that resemble their neighbours, slow outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ltxbench.statistics.values import Floats


@dataclass(frozen=True)
class NoiseModel:
    """Shares of a step's time; the noise is lognormal."""

    round_sd: float = 0.015
    """State of the machine that a whole round shares."""
    case_sd: float = 0.010
    """What one case's process adds to that: memory layout, scheduling."""
    step_sd: float = 0.015
    """From step to step."""
    neighbours: float = 0.5
    """Correlation of one step with the next."""
    outliers: float = 0.02
    """Share of steps that something else interrupts."""
    outlier_size: float = 0.25

    @property
    def label(self) -> str:
        return (
            f"rounds {self.round_sd:.1%}, cases {self.case_sd:.1%}, steps {self.step_sd:.1%} "
            f"(correlation {self.neighbours:g}), {self.outliers:.0%} of steps {self.outlier_size:.0%} slower"
        )


class Shape(Protocol):
    """What a machine does to the steps of a round beside noise."""

    def __call__(self, steps: int, generator: np.random.Generator) -> Floats:
        """[steps]: factors of the step times."""


def flat(steps: int, generator: np.random.Generator) -> Floats:
    del generator
    return np.ones(steps)


@dataclass(frozen=True)
class ThermalRamp:
    """From some step on the clock goes down; in another step of each round, as it does in reality."""

    low: float = 0.05
    high: float = 0.50

    def __call__(self, steps: int, generator: np.random.Generator) -> Floats:
        onset = generator.integers(0, max(1, steps // 2))
        length = max(1, steps - 1 - onset)
        ramp = np.clip(np.arange(steps) - onset, 0, None) / length
        return np.asarray(1 + generator.uniform(self.low, self.high) * ramp)


def draw_rounds(
    model: NoiseModel, *, rounds: int, cases: int, steps: int, step_s: float, generator: np.random.Generator
) -> Floats:
    """[cases, rounds, steps] in seconds: the cases of one run, interleaved by round."""
    shared = generator.normal(0, model.round_sd, (1, rounds, 1))
    own = generator.normal(0, model.case_sd, (cases, rounds, 1))
    shocks = generator.normal(0, model.step_sd, (cases, rounds, steps))
    walk = np.empty_like(shocks)
    walk[..., 0] = shocks[..., 0]
    fresh = np.sqrt(1 - model.neighbours**2)
    for index in range(1, steps):
        walk[..., index] = model.neighbours * walk[..., index - 1] + fresh * shocks[..., index]
    interrupted = generator.random(walk.shape) < model.outliers
    times: Floats = step_s * np.exp(shared + own + walk) * np.where(interrupted, 1 + model.outlier_size, 1.0)
    times[..., 0] *= 1.15  # the first step is its own figure
    return times


@dataclass(frozen=True)
class Throttle:
    """From some step on the clock is down by a fixed amount, as a power limit does it."""

    low: float = 0.03
    high: float = 0.30

    def __call__(self, steps: int, generator: np.random.Generator) -> Floats:
        onset = generator.integers(1, steps)
        return np.where(np.arange(steps) < onset, 1.0, 1 + generator.uniform(self.low, self.high))


@dataclass(frozen=True)
class Saturation:
    """Heats up as soon as it works, and then stays as slow: most of it happens before the second step."""

    low: float = 0.05
    high: float = 0.30

    def __call__(self, steps: int, generator: np.random.Generator) -> Floats:
        return np.asarray(1 + generator.uniform(self.low, self.high) * (1 - np.exp(-np.arange(steps))))
