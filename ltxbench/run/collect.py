"""Turns the events of one case, and how its process ended, into its record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from ltxbench.matrix.case import Case
from ltxbench.measure.counters import grown
from ltxbench.measure.recorder import highest
from ltxbench.measure.thinning import ThinnedSeries
from ltxbench.run.conditions import Conditions
from ltxbench.run.engine import Fact
from ltxbench.run.events import (
    Event,
    FactsStated,
    Failed,
    Finished,
    Hello,
    MatmulMeasured,
    MemorySample,
    MemorySampled,
    MemorySurveyed,
    MeterFound,
    PhaseEnded,
    PhaseStarted,
    PromptEnhanced,
    StepEnded,
    VideoWritten,
)
from ltxbench.run.memory_need import Survey
from ltxbench.run.outcomes import explain
from ltxbench.run.records import (
    DENOISING,
    GENERATION,
    LOADING,
    MEMORY_COLUMNS,
    CaseRecord,
    EnergyRecord,
    Failure,
    MatmulRate,
    MemoryRecord,
    Outcome,
    Phase,
    PhaseRecord,
    StepRecord,
    Times,
    VideoRecord,
)
from ltxbench.run.supervisor import Ended


class Collector:
    """Keeps what a job has told so far; a job that dies leaves everything up to that moment."""

    def __init__(self) -> None:
        self.accelerator: str | None = None
        self.enhanced: str | None = None
        self.matmul: MatmulRate | None = None
        self.survey: Survey | None = None
        self.phases: list[PhaseRecord] = []
        self.steps: list[StepRecord] = []
        self.cold_steps: list[StepRecord] = []
        self.series = ThinnedSeries()
        self.video: VideoRecord | None = None
        self.facts: dict[str, Fact] = {}
        self.failed: Failed | None = None
        self.finished: Finished | None = None
        self._running: Phase | None = None
        self._sampling: MemorySampled | None = None
        self._meter: MeterFound | None = None
        self._sampled = _Sampled()

    def __call__(self, event: Event) -> None:
        match event:
            case Hello():
                self.accelerator = event.accelerator
            case PhaseStarted():
                self._running = event.phase
            case PhaseEnded():
                self._running = None
                self.phases.append(event.record)
            case StepEnded():
                (self.cold_steps if event.cold else self.steps).append(event.record)
            case MemorySampled():
                self.series.extend(event.samples)
                self._sampled.extend(event.samples)
                self._sampling = event
            case MeterFound():
                self._meter = event
            case FactsStated():
                self.facts.update(event.facts)
            case VideoWritten():
                self.video = event.video
            case PromptEnhanced():
                self.enhanced = event.text
            case MatmulMeasured():
                self.matmul = event.rate
            case MemorySurveyed():
                self.survey = event.survey
            case Finished():
                self.finished = event
            case Failed():
                self.failed = event

    def record(
        self,
        case: Case,
        number: int,
        started_utc: str,
        ended: Ended,
        *,
        before: Conditions | None = None,
        after: Conditions | None = None,
        idle_power_w: float | None = None,
    ) -> CaseRecord:
        """`before` and `after` are looks at the machine around the case."""
        outcome, failure = self.verdict(ended)
        swapped = grown(
            before.swapped_out_bytes if before else None,
            after.swapped_out_bytes if after else None,
        )
        return CaseRecord(
            case=case,
            number=number,
            outcome=outcome,
            failure=failure,
            started_utc=started_utc,
            times=times_of(case, self.phases, ended.wall_s),
            memory=self.memory().model_copy(update={"swapped_out_bytes": swapped}),
            phases=tuple(self.phases),
            steps=tuple(self.steps),
            cold_steps=tuple(self.cold_steps),
            energy=self.energy(idle_power_w),
            before=before,
            after=after,
            video=self.video if outcome is Outcome.OK else None,
            facts=self.facts,
        )

    def verdict(self, ended: Ended) -> tuple[Outcome, Failure | None]:
        """How the job ended; what the child says about itself counts before what its exit looks like."""
        if self.finished is not None and self.failed is None and ended.garbled is None and ended.returncode == 0:
            return Outcome.OK, None
        outcome, message, phase = self._explain(ended)
        return outcome, Failure(message=message, phase=phase, output_tail=ended.output_tail)

    def _explain(self, ended: Ended) -> tuple[Outcome, str, Phase | None]:
        if self.failed is not None:
            message = f"{self.failed.message} {self.failed.hint}" if self.failed.hint else self.failed.message
            return self.failed.outcome, message, self.failed.phase
        outcome, message = explain(ended)
        return outcome, message, self._running

    def memory(self) -> MemoryRecord:
        """Exact however long the case was: nothing here is told by the thinned series."""
        sampled, sampling = self._sampled, self._sampling
        footprint_peak = sampling.footprint_peak_bytes if sampling else None
        source = sampling.footprint_peak_source if sampling else None
        if sampling is not None and footprint_peak is None:
            footprint_peak = sampled.footprint_bytes
            source = sampling.footprint_source
        device_peak = highest(sampled.device_bytes, *(phase.device_bytes for phase in self.phases))
        return MemoryRecord(
            mlx_peak_bytes=highest(
                self.finished.mlx_peak_bytes if self.finished else None,
                sampled.mlx_peak_bytes,
                *(phase.mlx_peak_bytes for phase in self.phases),
            ),
            mlx_mean_denoising_bytes=round(sampled.denoising_bytes / sampled.denoising) if sampled.denoising else None,
            footprint_peak_bytes=footprint_peak,
            footprint_source=source if footprint_peak is not None else None,
            samples=self.series.samples,
            interval_s=sampling.interval_s if sampling else None,
            longest_gap_s=sampling.longest_gap_s if sampling else None,
            sampler_cpu_s=sampling.cpu_s if sampling else None,
            device_peak_bytes=device_peak,
            device_source=sampling.device_source if sampling and device_peak is not None else None,
        )

    def energy(self, idle_power_w: float | None) -> EnergyRecord | None:
        """None without a meter."""
        if self._meter is None:
            return None
        return EnergyRecord(
            source=self._meter.source,
            resolution_s=self._meter.resolution_s,
            total_j=self.finished.energy_j if self.finished else None,
            generation_j=self.finished.generation_j if self.finished else None,
            idle_power_w=idle_power_w,
        )

    def memory_csv(self) -> bytes | None:
        """None where nothing was sampled."""
        if not self.series.samples:
            return None
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(MEMORY_COLUMNS)
        writer.writerows(self.series.rows)
        return text.getvalue().encode()


class _Sampled:
    """Sums and maxima over all samples."""

    def __init__(self) -> None:
        self.denoising = self.denoising_bytes = 0
        self.mlx_peak_bytes: int | None = None
        self.footprint_bytes: int | None = None
        self.device_bytes: int | None = None

    def extend(self, samples: Iterable[MemorySample]) -> None:
        for _, phase, active, _, peak, footprint, device in samples:
            self.mlx_peak_bytes = highest(self.mlx_peak_bytes, peak)
            self.footprint_bytes = highest(self.footprint_bytes, footprint)
            self.device_bytes = highest(self.device_bytes, device)
            if phase in DENOISING and active is not None:
                self.denoising += 1
                self.denoising_bytes += active


def times_of(case: Case, phases: Sequence[PhaseRecord], wall_s: float | None) -> Times:
    """See records.TIME_DEFINITIONS. Generation and loading are told only of a case that was decoded."""
    done = {phase.phase for phase in phases}
    needed = {Phase.ENCODE, Phase.DENOISE_1, Phase.DECODE} | (
        {Phase.UPSCALE, Phase.DENOISE_2} if case.two_stage else set()
    )
    complete = needed <= done
    return Times(
        generation_s=_total(phases, GENERATION) if complete else None,
        load_s=_total(phases, LOADING) if complete else None,
        export_s=_total(phases, (Phase.EXPORT,)) if Phase.EXPORT in done else None,
        warm_up_s=_total(phases, (Phase.WARM_UP,)) if Phase.WARM_UP in done else None,
        wall_s=wall_s,
    )


def _total(phases: Iterable[PhaseRecord], kinds: Sequence[Phase]) -> float:
    return sum(phase.duration_s for phase in phases if phase.phase in kinds)
