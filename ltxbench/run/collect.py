"""Turns the events of one case, and how its process ended, into its record."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Iterable, Sequence

from ltxbench.matrix.case import Case
from ltxbench.measure.recorder import highest
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
    PhaseEnded,
    PhaseStarted,
    PromptEnhanced,
    StepEnded,
    VideoWritten,
)
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import (
    DENOISING,
    GENERATION,
    LOADING,
    MEMORY_COLUMNS,
    CaseRecord,
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
from ltxbench.run.worker import tells_out_of_memory

SIGNAL_CAUSES = {
    signal.SIGKILL: "often the system, out of memory",
    signal.SIGABRT: "on a Mac often the GPU watchdog",
    signal.SIGSEGV: "a crash inside a library; MLX on a CPU crashes so when an allocation fails",
}


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
        self.samples: list[MemorySample] = []
        self.video: VideoRecord | None = None
        self.facts: dict[str, Fact] = {}
        self.failed: Failed | None = None
        self.finished: Finished | None = None
        self._running: Phase | None = None
        self._sampling: MemorySampled | None = None

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
                self.samples.extend(event.samples)
                self._sampling = event
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

    def record(self, case: Case, number: int, started_utc: str, ended: Ended) -> CaseRecord:
        outcome, failure = self.verdict(ended)
        return CaseRecord(
            case=case,
            number=number,
            outcome=outcome,
            failure=failure,
            started_utc=started_utc,
            times=times_of(case, self.phases, ended.wall_s),
            memory=self.memory(),
            phases=tuple(self.phases),
            steps=tuple(self.steps),
            cold_steps=tuple(self.cold_steps),
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
        if ended.timed_out:
            return Outcome.TIMEOUT, f"killed after {ended.wall_s:.0f} s, its time limit", self._running
        if ended.interrupted:
            return Outcome.INTERRUPTED, "interrupted", self._running
        if ended.garbled is not None:
            return Outcome.FAILED, f"the process sent what is no event: {ended.garbled}", self._running
        if ended.returncode < 0:
            # A GPU's errors come up outside of Python, where nothing can catch them.
            aborted = ended.returncode == -signal.SIGABRT and tells_out_of_memory(ended.output_tail)
            outcome = Outcome.OUT_OF_MEMORY if aborted else Outcome.SIGNAL
            return outcome, f"killed by {name_signal(-ended.returncode)}", self._running
        return Outcome.FAILED, f"ended with exit code {ended.returncode} before it had finished", self._running

    def memory(self) -> MemoryRecord:
        peaks = [phase.mlx_peak_bytes for phase in self.phases] + [sample[4] for sample in self.samples]
        denoising = [sample[2] for sample in self.samples if sample[1] in DENOISING and sample[2] is not None]
        sampling = self._sampling
        footprint_peak = sampling.footprint_peak_bytes if sampling else None
        source = sampling.footprint_peak_source if sampling else None
        if sampling is not None and footprint_peak is None:
            footprint_peak = highest(*(sample[5] for sample in self.samples))
            source = sampling.footprint_source
        return MemoryRecord(
            mlx_peak_bytes=highest(self.finished.mlx_peak_bytes if self.finished else None, *peaks),
            mlx_mean_denoising_bytes=round(sum(denoising) / len(denoising)) if denoising else None,
            footprint_peak_bytes=footprint_peak,
            footprint_source=source if footprint_peak is not None else None,
            samples=len(self.samples),
            interval_s=sampling.interval_s if sampling else None,
            longest_gap_s=sampling.longest_gap_s if sampling else None,
            sampler_cpu_s=sampling.cpu_s if sampling else None,
        )

    def memory_csv(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(MEMORY_COLUMNS)
        writer.writerows(self.samples)
        return text.getvalue().encode()


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


def name_signal(number: int) -> str:
    """`signal 9 (SIGKILL, often the system, out of memory)`."""
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    cause = SIGNAL_CAUSES.get(known)
    return f"signal {number} ({known.name}{f', {cause}' if cause else ''})"
