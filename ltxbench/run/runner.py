"""Runs the cases of a matrix one after the other, each in a process of its own, and stores what they leave."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import ltxbench
from ltxbench.errors import LtxbenchError, ResourceError, UsageError
from ltxbench.matrix.case import Case, Matrix
from ltxbench.measure.blas import find_blas, preload_environment
from ltxbench.measure.machine import describe_machine
from ltxbench.run import store
from ltxbench.run.collect import Collector
from ltxbench.run.engine import EnhanceJob, GenerateJob
from ltxbench.run.events import Event
from ltxbench.run.files import make_folder
from ltxbench.run.interrupts import Interrupts, interrupts
from ltxbench.run.listener import Listener
from ltxbench.run.memory_need import check
from ltxbench.run.probe import as_error, probe_engine, probe_matmul, probe_memory
from ltxbench.run.records import EnhancementRecord, Outcome, Phase, RunRecord, Weights
from ltxbench.run.script import Script
from ltxbench.run.store import RunFolder
from ltxbench.run.supervisor import Ended, supervise
from ltxbench.run.worker import WorkerJob
from ltxbench.weights.files import WeightFiles

CASE_LIMIT_S = 12 * 3600.0
SPARE_BYTES = 64 << 20  # records, series, output and the page
VIDEO_BYTES_PER_PIXEL = 0.5  # of the encoder at its setting, noise being the worst


def run_matrix(
    matrix: Matrix,
    cases: Sequence[Case],
    weights: WeightFiles,
    *,
    root: Path,
    engine: str = "mlx",
    listener: Listener | None = None,
    weights_digest: str | None = None,
    case_limit_s: float | None = CASE_LIMIT_S,
    command: Sequence[str] | None = None,
    memory_check: bool = True,
) -> RunFolder:
    """Runs `cases` of `matrix` in the matrix's order and returns the run as stored under `root`.

    A case that fails stays in the run with its outcome, and the next one goes on. After a first Ctrl-C the running case
    ends as interrupted and the rest has no record.

    Raises UsageError for an unknown engine or script; ResourceError when the disk cannot take the run or fills up, and
    when a case needs more memory than there is, unless `memory_check` is off; the worker's own error when the prompt
    cannot be enhanced; KeyboardInterrupt when it is interrupted before the first case or twice.
    """
    script = _script(engine)
    _check_space(root, cases)
    with interrupts() as asked:
        accelerator = script.accelerator if script else probe_engine(engine, asked)
        if memory_check and (script is None or script.survey.needs):
            _check_memory(engine, _in_order(matrix, cases), weights, listener or Listener(), asked)
        record = RunRecord(
            id=store.new_run_id(),
            ltxbench_version=ltxbench.__version__,
            created_utc=_now(),
            matrix=matrix,
            machine=describe_machine(accelerator),
            weights=Weights(kind=weights.kind, synthetic=weights.synthetic, digest=weights_digest),
            command=tuple(command if command is not None else ["ltxbench", *sys.argv[1:]]),
            conditioning=matrix.conditioning,
            conditioning_sha256=_sha256(matrix.conditioning),
            selected=tuple(case.name for case in _in_order(matrix, cases)),
        )
        session = _Session(
            run=store.create(root, record),
            weights=weights,
            engine=engine,
            listener=listener or Listener(),
            asked=asked,
            case_limit_s=case_limit_s,
        )
        if engine == "mlx" and accelerator is None:
            session.use_fast_blas()
        session.listener.run_started(session.run, _in_order(matrix, cases))
        session.measure_matmul(script)
        if matrix.conditioning is None:
            session.enhance()
        for number, case in enumerate(matrix.cases, start=1):
            if case.name in record.selected and not asked.asked:
                session.run_case(case, number)
        return session.run


@dataclass
class _Session:
    """A run in the making."""

    run: RunFolder
    weights: WeightFiles
    engine: str
    listener: Listener
    asked: Interrupts
    case_limit_s: float | None
    environment: Mapping[str, str] = field(default_factory=dict)

    def use_fast_blas(self) -> None:
        blas = find_blas()
        self.environment = preload_environment(blas)
        if blas.hint:
            self.listener.note(blas.hint)

    def measure_matmul(self, script: Script | None) -> None:
        """Before the first case, with the BLAS that the cases have. A run goes on without it where that fails."""
        try:
            rate = script.matmul if script else probe_matmul(self.engine, self.environment, self.asked)
        except LtxbenchError as error:
            self.listener.note(error.message)
        else:
            self._update_record(matmul=rate)

    def _update_record(self, **changes: object) -> None:
        self.run = replace(self.run, record=self.run.record.model_copy(update=changes))
        store.write_record(self.run.path / store.RUN_FILE, self.run.record)

    def enhance(self) -> None:
        """Writes the conditioning that all cases share, once."""
        matrix = self.run.record.matrix
        seed = matrix.cases[0].seed
        self.listener.enhancement_started()
        job = EnhanceJob(prompt=matrix.prompt, seed=seed, weights=self.weights)
        folder = self.run.path / store.ENHANCE
        make_folder(folder)
        collector, ended = self._supervise(job, folder)
        if collector.enhanced is None or collector.verdict(ended)[0] is not Outcome.OK:
            raise as_error(collector, ended, "the prompt could not be enhanced")
        text = collector.enhanced
        sha256 = _sha256(text)
        assert sha256 is not None
        enhancement = EnhancementRecord(
            text=text,
            text_sha256=sha256,
            seed=seed,
            duration_s=sum(phase.duration_s for phase in collector.phases if phase.phase is Phase.ENHANCE),
        )
        self._update_record(conditioning=text, conditioning_sha256=sha256, enhancement=enhancement)
        self.listener.enhancement_ended(text)

    def run_case(self, case: Case, number: int) -> None:
        """Raises ResourceError when the disk filled up, after the case's record is written if it can be."""
        matrix, conditioning = self.run.record.matrix, self.run.record.conditioning
        assert conditioning is not None
        self.listener.case_started(case)
        job = GenerateJob(case=case, prompt=conditioning, negative_prompt=matrix.negative_prompt, weights=self.weights)
        folder = self.run.folder_of(case.name, 1)
        make_folder(folder)
        started_utc = _now()
        collector, ended = self._supervise(job, folder)
        record = collector.record(case, number, started_utc, ended)
        self.run = store.write_case(self.run, record, collector.memory_csv() if collector.samples else None)
        self.listener.case_ended(record)
        if collector.failed is not None and collector.failed.exit_code == ResourceError.exit_code:
            raise ResourceError(collector.failed.message, hint=collector.failed.hint)

    def _supervise(self, task: EnhanceJob | GenerateJob, folder: Path) -> tuple[Collector, Ended]:
        collector = Collector()

        def emit(event: Event) -> None:
            collector(event)
            self.listener.event(event)

        ended = supervise(
            WorkerJob(engine=self.engine, task=task, folder=folder.absolute()),
            emit,
            output=folder / store.OUTPUT_FILE,
            limit_s=self.case_limit_s,
            environment=self.environment,
            interrupts=self.asked,
        )
        return collector, ended


def _script(engine: str) -> Script | None:
    """None for the real engine. Raises UsageError for an engine that there is not, and for a wrong script."""
    kind, _, argument = engine.partition(":")
    if kind == "scripted":
        return Script.load(Path(argument))
    if engine != "mlx":
        raise UsageError(f"no engine {engine!r}", hint="There are mlx and scripted:FILE.")
    return None


def _check_space(root: Path, cases: Sequence[Case]) -> None:
    """Roughly: better told now than after the first hours."""
    pixels = sum(case.width * case.height * case.frames for case in cases)
    needed = SPARE_BYTES + int(VIDEO_BYTES_PER_PIXEL * pixels)
    free = shutil.disk_usage(next(_existing(root))).free
    if free < needed:
        raise ResourceError(
            f"{root}: {free >> 20:,} MiB are free, this run may need {needed >> 20:,} MiB",
            hint="Free some space, or put the runs elsewhere with --runs.",
        )


def _check_memory(
    engine: str, cases: Sequence[Case], weights: WeightFiles, listener: Listener, asked: Interrupts
) -> None:
    """A run goes on without the check where the need cannot be told: weights that are wrong end their own cases."""
    try:
        survey = probe_memory(engine, cases, weights, asked)
    except LtxbenchError as error:
        listener.note(error.message)
        return
    if survey is not None:
        check(survey)


def _existing(path: Path) -> Iterator[Path]:
    return (folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _in_order(matrix: Matrix, cases: Sequence[Case]) -> list[Case]:
    names = {case.name for case in cases}
    return [case for case in matrix.cases if case.name in names]


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
