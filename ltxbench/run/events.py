"""What a worker tells its parent while it runs: one JSON object a line, over a pipe of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ltxbench.frozen import Frozen
from ltxbench.run.engine import Fact
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import MatmulRate, Outcome, Phase, PhaseRecord, StepRecord, VideoRecord

MemorySample = tuple[float, Phase | None, int | None, int | None, int | None, int | None, int | None]
"""One row in the order of records.MEMORY_COLUMNS."""

LINE_LIMIT_BYTES = 4 << 20


class Hello(Frozen):
    """The engine is there; the case's clock starts."""

    event: Literal["hello"] = "hello"
    accelerator: str | None = None


class PhaseStarted(Frozen):
    event: Literal["phase-started"] = "phase-started"
    phase: Phase
    start_s: float


class PhaseEnded(Frozen):
    event: Literal["phase-ended"] = "phase-ended"
    record: PhaseRecord


class StepEnded(Frozen):
    event: Literal["step-ended"] = "step-ended"
    record: StepRecord
    cold: bool = False
    """A step of the warm-up."""


class MemorySampled(Frozen):
    """A batch of samples, and how the sampling has gone since the case began."""

    event: Literal["memory-sampled"] = "memory-sampled"
    samples: tuple[MemorySample, ...]
    interval_s: float
    longest_gap_s: float
    cpu_s: float
    footprint_source: str | None = None
    footprint_peak_bytes: int | None = None
    footprint_peak_source: str | None = None
    device_source: str | None = None


class MeterFound(Frozen):
    """Energy is measured."""

    event: Literal["meter-found"] = "meter-found"
    source: str
    resolution_s: float


class FactsStated(Frozen):
    event: Literal["facts-stated"] = "facts-stated"
    facts: dict[str, Fact]


class VideoWritten(Frozen):
    event: Literal["video-written"] = "video-written"
    video: VideoRecord


class PromptEnhanced(Frozen):
    event: Literal["prompt-enhanced"] = "prompt-enhanced"
    text: str


class MatmulMeasured(Frozen):
    event: Literal["matmul-measured"] = "matmul-measured"
    rate: MatmulRate | None


class MemorySurveyed(Frozen):
    event: Literal["memory-surveyed"] = "memory-surveyed"
    survey: Survey


class Finished(Frozen):
    """The last event of a job that went well."""

    event: Literal["finished"] = "finished"
    mlx_peak_bytes: int | None = None
    energy_j: float | None = None
    """From the case's first phase to the end of its last."""
    generation_j: float | None = None


class Failed(Frozen):
    """The last event of a job that did not; `exit_code` is that of the LtxbenchError, if it was one."""

    event: Literal["failed"] = "failed"
    outcome: Outcome
    message: str
    hint: str | None = None
    exit_code: int | None = None
    phase: Phase | None = None


Event = (
    Hello
    | PhaseStarted
    | PhaseEnded
    | StepEnded
    | MemorySampled
    | MeterFound
    | FactsStated
    | VideoWritten
    | PromptEnhanced
    | MatmulMeasured
    | MemorySurveyed
    | Finished
    | Failed
)
Emit = Callable[[Event], None]

_PARSER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class EventWriter:
    """The child's end. Safe to call from several threads."""

    def __init__(self, descriptor: int) -> None:
        # What the job starts in turn must not keep the pipe open.
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        line = memoryview(event.model_dump_json().encode() + b"\n")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                # The parent is gone and nobody will keep the result: don't hold the machine.
                os._exit(1)


class EventReader:
    """The parent's end: bytes as they come in, events as they are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self.garbled: str | None = None
        """The first line that was no event, if there was one; nothing is read after it."""

    def feed(self, data: bytes) -> Iterator[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT_BYTES:
            self.garbled, self._rest = f"a line of over {LINE_LIMIT_BYTES >> 20} MiB", b""
        for line in lines:
            if self.garbled is not None:
                return
            try:
                yield _PARSER.validate_json(line)
            except ValidationError:
                self.garbled = line[:200].decode(errors="replace")
