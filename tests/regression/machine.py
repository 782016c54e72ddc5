"""A machine on a shelf, simulated: what its clock does to a run of a matrix, at every hour of the day.

Shares of a time, each a standard deviation unless told otherwise. Together they give a single round of a single case a
spread of 2.1%. Published basis: the same VAE decoding, timed once in each of seven processes of one afternoon on an M3
Max, took 4.0 to 4.3 s, a spread of 2.2% (beaver-dam); twin cases there differ by up to 50% where one throttled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ltxbench.regression.entry import CaseEntry, Entry, Kind, MachineEntry
from ltxbench.statistics.values import Floats

ROUNDS = 5
AGAIN = 10
"""Rounds of a rerun."""
SECONDS = {"distilled": 84.0, "dev": 790.0, "dev-lora": 102.0, "distilled-upscaler": 54.0, "dev-upscaler": 256.0,
           "two-stage": 50.0, "dev-1024": 1455.0, "distilled-qint8": 99.0}  # fmt: skip
CASES = tuple(SECONDS)
FAMILY = (0, 1, 0, 2, 2, 2, 1, 0)
"""Cases of a family share an offset."""
GIB = 1 << 30


@dataclass(frozen=True)
class Noise:
    day: float = 0.006
    """Amplitude over the day."""
    run: float = 0.008
    """Shared by all cases of a run."""
    carried: float = 0.3
    """Correlation of that with the run before."""
    family: float = 0.004
    case: float = 0.007
    """Of one case in one run, with the tails of Student's t with five degrees of freedom."""
    shared_round: float = 0.010
    own_round: float = 0.015
    step: float = 0.005
    """Of the step time beside the generation time."""
    load: float = 0.04
    """Of reading weights, with the same tails."""
    ramps: float = 0.04
    """Share of rounds whose later steps throttle, by 2 to 15%."""
    interrupted: float = 0.02
    """Share of rounds that something else makes 10 to 40% slower."""
    disturbed: float = 0.015
    """Share of runs during which the whole machine is 3 to 20% slower."""
    lasting: float = 0.5
    """Share of those in which it still is when the run is repeated."""
    matmul: float = 0.008
    footprint: float = 0.007


MACHINES = {
    "shelf": Noise(),
    "quiet": Noise(day=0.002, run=0.003, family=0.001, case=0.003, shared_round=0.003, own_round=0.005, ramps=0.01),
    "wandering": Noise(run=0.02, carried=0.9),
    "daily": Noise(day=0.03),
    "hot": Noise(ramps=0.15, interrupted=0.05),
    "disturbed": Noise(disturbed=0.05),
    "restless": Noise(run=0.03, case=0.012, own_round=0.025),
    "loud": Noise(case=0.025, own_round=0.02),
}
"""A shelf's and others: what the gate is worth where the noise is of another kind."""


@dataclass
class Code:
    """What a push's code costs beside the first one's."""

    time: Floats = field(default_factory=lambda: np.ones(len(CASES)))
    memory: Floats = field(default_factory=lambda: np.ones(len(CASES)))
    pictures: tuple[int, ...] = (0,) * len(CASES)


@dataclass
class Shelf:
    """One Mac: `os` and its level change with an upgrade."""

    generator: np.random.Generator
    noise: Noise = field(default_factory=Noise)
    os: str = "macOS 26.1"
    level: Floats = field(default_factory=lambda: np.ones(len(CASES)))
    _offset: float = 0.0
    _hour: float = 0.0
    _slower: float = 1.0

    def upgrade(self, os: str) -> None:
        self.os = os
        self.level = np.exp(self.generator.normal(0, 0.03, len(CASES)))

    def push(self, number: int, code: Code) -> Entry:
        """A run of every case, at an hour of a working day with eight pushes."""
        noise = self.noise
        self._hour = (number % 8) / 8 + self.generator.uniform(0, 1 / 8)
        self._offset = noise.carried * self._offset + self.generator.normal(
            0, noise.run * np.sqrt(1 - noise.carried**2)
        )
        disturbed = self.generator.random() < noise.disturbed
        self._slower = 1 + self.generator.uniform(0.03, 0.20) if disturbed else 1.0
        return self._run(f"push-{number:04d}", number, code, range(len(CASES)))

    def again(self, number: int, code: Code, names: Sequence[str]) -> Entry:
        """The same code soon afterwards: half of the run's offset is still there."""
        if self.generator.random() >= self.noise.lasting:
            self._slower = 1.0
        self._offset = 0.5 * self._offset + self.generator.normal(0, self.noise.run * np.sqrt(0.75))
        which = [CASES.index(name) for name in names]
        return self._run(f"push-{number:04d}-again", number, code, which, AGAIN)

    def _run(self, name: str, number: int, code: Code, which: Sequence[int], repeats: int = ROUNDS) -> Entry:
        noise, draw = self.noise, self.generator
        count, shape = len(CASES), (repeats, len(CASES))
        machine = noise.day * np.sin(2 * np.pi * self._hour) + self._offset
        families = draw.normal(0, noise.family, 3)[list(FAMILY)]
        own = noise.case * draw.standard_t(5, count) / np.sqrt(5 / 3)
        rounds = draw.normal(0, noise.shared_round, (repeats, 1)) + draw.normal(0, noise.own_round, shape)
        slower = np.where(draw.random(shape) < noise.ramps, 1 + draw.uniform(0.02, 0.15, shape), 1.0)
        slower *= np.where(draw.random(shape) < noise.interrupted, 1 + draw.uniform(0.1, 0.4, shape), 1.0)
        factor = np.exp(machine + families + own + rounds) * slower * self._slower * self.level * code.time
        generation = np.array(list(SECONDS.values())) * factor
        steps = generation / 10 * np.exp(draw.normal(0, noise.step, shape))
        load = 12 * np.exp(noise.load * draw.standard_t(5, shape) / np.sqrt(5 / 3)) * self._slower
        peak = 48 * GIB * code.memory * np.exp(draw.normal(0, 0.0003, shape))
        footprint = 55 * GIB * code.memory * np.exp(draw.normal(0, noise.footprint, shape))
        figures = {"generation_s": generation, "step_1_s": steps, "load_s": load, "mlx_peak_bytes": peak}
        figures["footprint_peak_bytes"] = footprint
        conditions: dict[str, str | None] = {"chip": "Apple M3 Max", "os": self.os, "memory": "96 GiB"}
        rate = 1.2e13 / self._slower * np.exp(-machine + draw.normal(0, noise.matmul))
        return Entry.model_construct(
            kind=Kind.RUN,
            id=name,
            created_utc=f"{number:05d}",
            matrix="beaver-dam",
            machine=MachineEntry(chip="Apple M3 Max", memory_bytes=96 * GIB, os=self.os),
            weights="official",
            engine="mlx",
            matmul_flops_per_s=float(rate),
            selected=CASES,
            cases=tuple(
                CaseEntry.model_construct(
                    name=CASES[index],
                    outcomes=("ok",) * repeats,
                    conditions=conditions,
                    samples={metric: tuple(values[:, index].tolist()) for metric, values in figures.items()},
                    frames_sha256=(f"{self.os}-{CASES[index]}-{code.pictures[index]}",),
                    artifact_score=0.3,
                )
                for index in which
            ),
        )
