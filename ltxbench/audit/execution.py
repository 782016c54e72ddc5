"""A case run once more in a process of its own, for what came out and how long it took; nothing of it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ltxbench.matrix.case import Case
from ltxbench.run.collect import Collector
from ltxbench.run.engine import GenerateJob
from ltxbench.run.interrupts import Interrupts
from ltxbench.run.records import GENERATION, CaseRecord, Outcome, Phase, PhaseRecord, RunRecord
from ltxbench.run.repeated import FIRST_FRAMES, FIRST_LATENT, FIRST_PHASES, SECOND_FRAMES, SECOND_LATENT
from ltxbench.run.store import OUTPUT_FILE
from ltxbench.run.supervisor import supervise
from ltxbench.run.worker import REPEATED, WorkerJob
from ltxbench.weights.files import WeightFiles

COMPARED = (Phase.ENCODE, Phase.DENOISE_1, Phase.DENOISE_2, Phase.DECODE)
"""The phases that the warm-up runs beforehand: in others the first of a process may compile kernels."""


@dataclass(frozen=True)
class Execution:
    """One generation. `failure` says why there is none; everything else is then empty."""

    frames_sha256: str | None = None
    latent_sha256: str | None = None
    phases_s: Mapping[Phase, float] = field(default_factory=dict)
    """Seconds by phase (COMPARED)."""
    failure: str | None = None

    @property
    def total_s(self) -> float:
        return sum(self.phases_s.values())


def recorded(record: CaseRecord) -> Execution:
    """A round of the run itself."""
    if record.outcome is not Outcome.OK or record.video is None:
        return Execution(failure=f"round {record.round} ended as {record.outcome.value}")
    latent = record.facts.get("latent_sha256")
    return Execution(record.video.frames_sha256, latent if isinstance(latent, str) else None, by_phase(record.phases))


def by_phase(phases: Sequence[PhaseRecord]) -> dict[Phase, float]:
    found: dict[Phase, float] = {}
    for part in phases:
        if part.phase in COMPARED:
            found[part.phase] = found.get(part.phase, 0.0) + part.duration_s
    return found


@dataclass(frozen=True)
class Executor:
    """Runs cases as `run` did: its text, its negative prompt, these weights, this engine."""

    run: RunRecord
    weights: WeightFiles
    engine: str
    environment: Mapping[str, str] = field(default_factory=dict)
    limit_s: float | None = None
    interrupts: Interrupts | None = None

    def once(self, case: Case, *, instrumented: bool = True) -> Execution:
        """Warmed up, so that compiling kernels is not taken for work. Raises KeyboardInterrupt."""
        collector, failure = self._supervise(case, self.engine, instrumented=instrumented)
        if failure is not None or collector.video is None:
            return Execution(failure=failure or "it made no video")
        latent = collector.facts.get("latent_sha256")
        latent_sha256 = latent if isinstance(latent, str) else None
        return Execution(collector.video.frames_sha256, latent_sha256, by_phase(collector.phases))

    def twice(self, case: Case) -> tuple[Execution, Execution]:
        """Two generations in one process, the second after everything that the first may have kept."""
        collector, failure = self._supervise(case, f"{REPEATED}:{self.engine}", instrumented=True)
        generation = [part for part in collector.phases if part.phase in GENERATION]
        count = collector.facts.get(FIRST_PHASES)
        if failure is None and not isinstance(count, int):
            failure = "its two generations cannot be told apart"
        if failure is not None or not isinstance(count, int):
            return Execution(failure=failure), Execution(failure=failure)
        names = ((FIRST_FRAMES, FIRST_LATENT), (SECOND_FRAMES, SECOND_LATENT))
        first, second = (
            Execution(_text(collector.facts.get(frames)), _text(collector.facts.get(latent)), by_phase(parts))
            for (frames, latent), parts in zip(names, (generation[:count], generation[count:]), strict=True)
        )
        return first, second

    def _supervise(self, case: Case, engine: str, *, instrumented: bool) -> tuple[Collector, str | None]:
        assert self.run.conditioning is not None
        task = GenerateJob(
            case=case,
            prompt=self.run.conditioning,
            negative_prompt=self.run.matrix.negative_prompt,
            weights=self.weights,
            warm_up=True,
            instrumented=instrumented,
        )
        collector = Collector()
        with tempfile.TemporaryDirectory(prefix="ltxbench-audit-") as folder:
            ended = supervise(
                WorkerJob(engine=engine, task=task, folder=Path(folder)),
                collector,
                output=Path(folder) / OUTPUT_FILE,
                limit_s=self.limit_s,
                environment=self.environment,
                interrupts=self.interrupts,
            )
        outcome, failure = collector.verdict(ended)
        if outcome is Outcome.INTERRUPTED:
            raise KeyboardInterrupt
        return collector, failure.message if failure is not None else None


def _text(fact: object) -> str | None:
    return fact if isinstance(fact, str) else None
