"""One process's work on a run: its rounds one after the other, each in a child, each in the journal."""

from __future__ import annotations

import hashlib
import os
import selectors
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ltxbench.errors import LtxbenchError, ResourceError
from ltxbench.matrix.case import Case
from ltxbench.measure.blas import find_blas, preload_environment
from ltxbench.run import store
from ltxbench.run.admission import Admission
from ltxbench.run.boot import boot_id
from ltxbench.run.collect import Collector
from ltxbench.run.conditions import Conditions
from ltxbench.run.cooldown import Surroundings, cool_down
from ltxbench.run.engine import EnhanceJob, GenerateJob
from ltxbench.run.events import Event
from ltxbench.run.files import make_folder
from ltxbench.run.identity import identity
from ltxbench.run.interrupts import Interrupts
from ltxbench.run.journal import Journal, RoundBegan, RoundEnded, RunStated, SessionBegan, SessionEnded
from ltxbench.run.listener import Listener
from ltxbench.run.options import CooldownRule, Options
from ltxbench.run.outcomes import UNCHANGED_BY_A_REPEAT
from ltxbench.run.probe import as_error, probe_matmul
from ltxbench.run.records import (
    CHECK_ROUND,
    CaseRecord,
    Cooldown,
    EnhancementRecord,
    Failure,
    Outcome,
    Phase,
    RunRecord,
)
from ltxbench.run.script import Script
from ltxbench.run.sealing import seal
from ltxbench.run.store import RunFolder
from ltxbench.run.supervisor import Ended, supervise
from ltxbench.run.worker import WorkerJob
from ltxbench.weights.files import WeightFiles

DEATHS = 2
"""A case that took the machine down so often is not tried again without --force."""
SETTLING_BUDGET_S = 0.2


@dataclass
class Session:
    """A run in the making. Open it as a context: it tells the journal how it ended."""

    run: RunFolder
    journal: Journal
    weights: WeightFiles
    engine: str
    listener: Listener
    asked: Interrupts
    options: Options
    script: Script | None = None
    admission: Admission = field(default_factory=Admission)
    deaths: Mapping[str, int] = field(default_factory=dict)
    attempts: dict[tuple[str, int], int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    _first: bool = True

    def __enter__(self) -> Session:
        self.journal.append(SessionBegan(pid=os.getpid(), boot=boot_id(), utc=utc_now()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        how = "finished" if kind is None else kind.__name__
        if kind is None and self.asked.asked:
            how = "interrupted"
        try:
            self.journal.append(SessionEnded(how=how))
        except ResourceError:
            if kind is None:
                raise
        finally:
            self.journal.close()

    def use_fast_blas(self) -> None:
        blas = find_blas()
        self.environment = preload_environment(blas)
        if blas.hint:
            self.listener.note(blas.hint)

    def measure_matmul(self) -> None:
        """Before the first case, with the BLAS that the cases have. A run goes on without it where that fails."""
        if self.run.record.matmul is not None:
            return
        try:
            rate = self.script.matmul if self.script else probe_matmul(self.engine, self.environment, self.asked)
        except LtxbenchError as error:
            self.listener.note(error.message)
        else:
            self.state(matmul=rate)

    def state(self, **changes: object) -> None:
        """Changes the run's record, in the journal first."""
        self.run = replace(self.run, record=self.run.record.model_copy(update=changes))
        self.journal.append(RunStated(record=self.run.record))
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
        enhancement = EnhancementRecord(
            text=text,
            text_sha256=sha256(text),
            seed=seed,
            duration_s=sum(phase.duration_s for phase in collector.phases if phase.phase is Phase.ENHANCE),
        )
        self.state(conditioning=text, conditioning_sha256=sha256(text), enhancement=enhancement)
        self.listener.enhancement_ended(text)

    def run_round(self, case: Case, number: int, round_number: int) -> None:
        """Raises ResourceError when the disk filled up, after the round's record is written if it can be."""
        store.supersede(self.run.path, case.name, round_number)
        folder = self.run.path / store.CASES / case.name / f"{store.ROUND}{round_number}"
        make_folder(folder)
        if (reason := self._reason_to_skip(case)) is not None:
            self._keep(
                CaseRecord(
                    case=case,
                    number=number,
                    round=round_number,
                    outcome=Outcome.SKIPPED,
                    failure=Failure(message=reason),
                    started_utc=utc_now(),
                    identity=identity(self.run.record, case),
                    attempt=max(1, self.attempts.get((case.name, round_number), 0)),
                )
            )
            return
        self.listener.case_started(case, round_number)
        cooldown = self._cool_down()
        if cooldown is not None and self.asked.asked:
            return
        record, collector = self._try(case, number, round_number, folder, cooldown)
        self._keep(record, collector.memory_csv())
        if collector.failed is not None and collector.failed.exit_code == ResourceError.exit_code:
            raise ResourceError(collector.failed.message, hint=collector.failed.hint)

    def _try(
        self, case: Case, number: int, round_number: int, folder: Path, cooldown: Cooldown | None
    ) -> tuple[CaseRecord, Collector]:
        conditioning = self.run.record.conditioning
        assert conditioning is not None
        job = GenerateJob(
            case=case,
            prompt=conditioning,
            negative_prompt=self.run.record.matrix.negative_prompt,
            weights=self.weights,
            warm_up=self.run.record.schedule.warm_up,
            instrumented=round_number != CHECK_ROUND,
            lossless=self.options.lossless,
            known_frames=self._known_frames(case.name),
        )
        this = identity(self.run.record, case)
        attempt = self.attempts.get((case.name, round_number), 0) + 1
        self.attempts[case.name, round_number] = attempt
        self.journal.append(RoundBegan(case=case.name, round=round_number, attempt=attempt, identity=this))
        before, started_utc = self._look(), utc_now()
        collector, ended = self._supervise(job, folder)
        record = collector.record(
            case,
            number,
            started_utc,
            ended,
            before=before,
            after=self._look(),
            idle_power_w=self.admission.idle_power_w,
        )
        changes = {"round": round_number, "identity": this, "attempt": attempt, "cooldown": cooldown}
        return record.model_copy(update=changes), collector

    def _keep(self, record: CaseRecord, memory_csv: bytes | None = None) -> None:
        self.run = store.write_case(self.run, record, memory_csv)
        folder = self.run.round_folder(record)
        assert record.identity is not None
        self.journal.append(
            RoundEnded(
                case=record.case.name,
                round=record.round,
                attempt=record.attempt,
                outcome=record.outcome,
                identity=record.identity,
                files=seal(folder),
            )
        )
        self.listener.case_ended(record)

    def _reason_to_skip(self, case: Case) -> str | None:
        if (reason := self.admission.skipped.get(case.name)) is not None:
            return reason
        if (died := self.deaths.get(case.name, 0)) >= DEATHS and not self.options.force:
            return (
                f"the machine, or every process of the run, ended {died} times while this case ran; "
                "--resume --force tries it again"
            )
        for record in self.run.records:
            if record.case.name == case.name and record.outcome in UNCHANGED_BY_A_REPEAT:
                which = "the check" if record.round == CHECK_ROUND else f"round {record.round}"
                return f"{which} of this case ended with: {record.outcome.value}"
        return None

    def _known_frames(self, name: str) -> tuple[str, ...]:
        return tuple(
            record.video.frames_sha256
            for record in self.run.records
            if record.case.name == name and record.video is not None and record.video.file is not None
        )

    def _look(self) -> Conditions | None:
        return self.admission.lookout.look() if self.admission.lookout else None

    def _cool_down(self) -> Cooldown | None:
        """Before every round but this process's first."""
        first, self._first = self._first, False
        asked_for = self.run.record.schedule.cooldown
        rule = CooldownRule.parse(asked_for.removesuffix(" s")) if asked_for else None
        if first or rule is None:
            return None
        matmul = self.run.record.matmul
        return cool_down(
            rule,
            Surroundings(
                wait=self._wait,
                look=self._look,
                rate=self._rate,
                first_rate=matmul.flops_per_s if matmul else None,
            ),
        )

    def _rate(self) -> float | None:
        if self.script is not None:
            return self.script.matmul.flops_per_s if self.script.matmul else None
        try:
            rate = probe_matmul(self.engine, self.environment, self.asked, budget_s=SETTLING_BUDGET_S)
        except LtxbenchError as error:
            self.listener.note(error.message)
            return None
        return rate.flops_per_s if rate else None

    def _wait(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.asked.descriptor, selectors.EVENT_READ)
            return not selector.select(seconds)

    def _supervise(self, task: EnhanceJob | GenerateJob, folder: Path) -> tuple[Collector, Ended]:
        collector = Collector()

        def emit(event: Event) -> None:
            collector(event)
            self.listener.event(event)

        ended = supervise(
            WorkerJob(engine=self.engine, task=task, folder=folder.absolute()),
            emit,
            output=folder / store.OUTPUT_FILE,
            limit_s=self.options.case_limit_s,
            phase_limits=self.options.phase_limits,
            environment=self.environment,
            interrupts=self.asked,
        )
        return collector, ended


def prospective(record: RunRecord) -> RunRecord:
    """With the conditioning's hash that its matrix already decides."""
    text = record.matrix.conditioning
    return record.model_copy(
        update={"conditioning": text, "conditioning_sha256": None if text is None else sha256(text)}
    )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def utc_now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
