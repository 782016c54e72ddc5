"""What the child process does: one job, which is read from standard input, and everything of it told over a pipe.

What is printed belongs to the engine and its libraries; the events have a file descriptor of their own.
"""

from __future__ import annotations

import faulthandler
import resource
import signal
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path

from ltxbench.errors import LtxbenchError, UsageError
from ltxbench.frozen import Frozen
from ltxbench.measure.counters import Counters, grown_j, machine_counters
from ltxbench.measure.footprint import footprint_reader
from ltxbench.measure.memory import INTERVAL_S, MemorySampler
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run.engine import (
    Engine,
    EnhanceJob,
    Generated,
    GenerateJob,
    InvalidOutput,
    MatmulJob,
    Simulated,
    SurveyJob,
    check_name,
    imported,
)
from ltxbench.run.events import (
    Emit,
    EventWriter,
    FactsStated,
    Failed,
    Finished,
    Hello,
    MatmulMeasured,
    MemorySurveyed,
    MeterFound,
    PromptEnhanced,
    VideoWritten,
)
from ltxbench.run.files import disk_full
from ltxbench.run.lossless import write_lossless
from ltxbench.run.records import Outcome, Phase, VideoRecord
from ltxbench.run.store import LOSSLESS_SUFFIX
from ltxbench.run.video import blank, frame_hashes, frames_sha256, write_video

WATCHDOG_TEXTS = (
    "caused gpu timeout error",
    "kiogpucommandbuffercallbackerrortimeout",
    "kiogpucommandbuffercallbackerrorimpactinginteractivity",
)
"""How Metal says that the system ended work on the GPU that took too long."""
# How MLX and the drivers below it say that memory ran out; they have no exception type for it.
OUT_OF_MEMORY_TEXTS = (
    "[metal::malloc]",
    "[malloc_or_wait]",
    "unable to allocate",
    "failed to allocate",
    "out of memory",
    "insufficient memory",
    "kiogpucommandbuffercallbackerroroutofmemory",
    "cudamalloc",
    "cudaerrormemoryallocation",
    "std::bad_alloc",
)


REPEATED = "repeated"


class WorkerJob(Frozen):
    engine: str
    """`mlx`, `scripted:FILE`, `PACKAGE.MODULE:CLASS`, or `repeated:` and one of these, which makes every video twice
    (run.repeated)."""
    task: EnhanceJob | GenerateJob | MatmulJob | SurveyJob | None = None
    """None: start the engine, say hello and end."""
    folder: Path
    """Where the video goes."""
    interval_s: float = INTERVAL_S
    """Of the memory samples."""


def work(events: int) -> int:
    """Returns the process's exit code."""
    _prepare_for_the_worst()
    emit = EventWriter(events)
    job = WorkerJob.model_validate_json(sys.stdin.buffer.read())
    recorder: CaseRecorder | None = None
    try:
        engine = make_engine(job.engine)
        emit(Hello(accelerator=engine.accelerator()))
        if job.task is None or isinstance(job.task, MatmulJob | SurveyJob):
            if isinstance(job.task, MatmulJob):
                emit(MatmulMeasured(rate=engine.matmul_rate(job.task.matmul_budget_s)))
            elif job.task is not None:
                emit(MemorySurveyed(survey=engine.survey(job.task)))
            emit(Finished())
            return 0
        _state_libraries(engine, emit)
        footprint = engine.footprint if isinstance(engine, Simulated) else footprint_reader()
        counters = Counters() if isinstance(engine, Simulated) else machine_counters(engine.accelerator())
        if counters.meter is not None:
            emit(MeterFound(source=counters.meter.source, resolution_s=counters.meter.resolution_s))
        recorder = CaseRecorder(engine, emit, footprint, stepped=_instrumented(job.task), counters=counters)
        sampler = MemorySampler(engine, recorder, emit, footprint, job.interval_s, counters)
        _run(job, job.task, engine, recorder, emit, sampler)
    except BaseException as error:  # noqa: BLE001 - whatever ended the job is its result
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it may be repeated, and must not cut the account short
        told = failure(error, job.folder, recorder.current if recorder else None)
        if told.exit_code is None and told.outcome is not Outcome.INTERRUPTED:
            traceback.print_exc()
        emit(told)
        return 1
    return 0


def _prepare_for_the_worst() -> None:
    """Tracebacks when a library crashes or the parent asks where it hangs; no core file of the model's size.

    A process that a shell put in the background ignores SIGINT, and so would this one, which inherits that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def make_engine(name: str) -> Engine:
    """Raises UsageError for an unknown name, a wrong script, and a class that cannot be imported."""
    kind, _, argument = name.partition(":")
    if kind == "scripted":
        from ltxbench.run.script import Script
        from ltxbench.run.scripted import ScriptedEngine

        return ScriptedEngine(Script.load(Path(argument)))
    if kind == REPEATED:
        from ltxbench.run.repeated import RepeatedEngine

        return RepeatedEngine(make_engine(argument))
    if imported(name):
        try:
            engine: Engine = getattr(import_module(kind), argument)()
        except (ImportError, AttributeError) as error:
            raise UsageError(f"engine {name!r} cannot be imported ({error})") from None
        return engine
    check_name(name)
    from ltxbench.run.mlx_engine import MlxEngine

    return MlxEngine()


def _run(
    job: WorkerJob,
    task: EnhanceJob | GenerateJob,
    engine: Engine,
    recorder: CaseRecorder,
    emit: Emit,
    sampler: MemorySampler,
) -> None:
    with sampler.running() if _instrumented(task) else nullcontext():
        if isinstance(task, EnhanceJob):
            emit(PromptEnhanced(text=engine.enhance(task, recorder)))
        else:
            export = partial(_export, task, recorder=recorder, emit=emit, folder=job.folder)
            export(engine.generate(task, recorder))
    recorder.close()
    energy_j = grown_j(recorder.first_energy_j, recorder.last_energy_j)
    emit(Finished(mlx_peak_bytes=recorder.peak_bytes, energy_j=energy_j, generation_j=recorder.generation_j()))


def _instrumented(task: EnhanceJob | GenerateJob) -> bool:
    return not isinstance(task, GenerateJob) or task.instrumented


def _export(task: GenerateJob, generated: Generated, *, recorder: CaseRecorder, emit: Emit, folder: Path) -> None:
    case = task.case
    frames = generated.frames
    expected = (case.frames, case.height, case.width, 3)
    if frames.shape != expected:
        raise InvalidOutput(f"the engine made frames of shape {frames.shape}, the case wants {expected}")
    if (found := blank(frames)) is not None:
        raise InvalidOutput(f"all {case.frames} frames are {found}, from frame 0 on")
    path = folder / f"{case.name}.mp4"
    with recorder.phase(Phase.EXPORT):
        write_video(path, frames, case.fps)
    video = VideoRecord(
        file=path.name,
        width=case.width,
        height=case.height,
        frames=case.frames,
        fps=case.fps,
        size_bytes=path.stat().st_size,
        frames_sha256=frames_sha256(frames),
        frame_sha256=frame_hashes(frames),
    )
    if video.frames_sha256 in task.known_frames:
        path.unlink()
        video = video.model_copy(update={"file": None})
    elif task.lossless:
        lossless = path.with_suffix(LOSSLESS_SUFFIX)
        write_lossless(lossless, frames, case.fps)
        video = video.model_copy(update={"lossless": lossless.name})
    emit(VideoWritten(video=video))


def _state_libraries(engine: Engine, emit: Emit) -> None:
    """Which BLAS this process really got; on a GPU, and where nothing is computed, it plays no part."""
    if isinstance(engine, Simulated) or engine.accelerator() is not None:
        return
    from ltxbench.measure.blas_loaded import loaded_blas

    emit(FactsStated(facts=loaded_blas()))


def failure(error: BaseException, folder: Path, phase: Phase | None) -> Failed:
    """What to tell the parent about `error`."""
    error = disk_full(error, folder) or error
    if isinstance(error, KeyboardInterrupt):
        return Failed(outcome=Outcome.INTERRUPTED, message="interrupted", phase=phase)
    if isinstance(error, LtxbenchError):
        outcome = Outcome.INVALID if isinstance(error, InvalidOutput) else Outcome.FAILED
        return Failed(outcome=outcome, message=error.message, hint=error.hint, exit_code=error.exit_code, phase=phase)
    if is_out_of_memory(error):
        return Failed(outcome=Outcome.OUT_OF_MEMORY, message=str(error) or "out of memory", phase=phase)
    if isinstance(error, RuntimeError) and tells_watchdog(str(error)):
        return Failed(outcome=Outcome.WATCHDOG, message=str(error), phase=phase)
    return Failed(outcome=Outcome.FAILED, message=f"{type(error).__name__}: {error}", phase=phase)


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | ValueError) and tells_out_of_memory(str(error))


def tells_watchdog(text: str) -> bool:
    lowered = text.lower()
    return any(known in lowered for known in WATCHDOG_TEXTS)


def tells_out_of_memory(text: str) -> bool:
    lowered = text.lower()
    return any(known in lowered for known in OUT_OF_MEMORY_TEXTS)
