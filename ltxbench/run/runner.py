"""Runs the cases of a matrix, or takes up a run that ended early: one order, one journal, one record."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ltxbench
from ltxbench.errors import LtxbenchError
from ltxbench.matrix.case import Case, Matrix
from ltxbench.measure.machine import describe_machine
from ltxbench.run import store
from ltxbench.run.admission import Admission, admit
from ltxbench.run.continuation import continued
from ltxbench.run.engine import check_name
from ltxbench.run.identity import code_sha256
from ltxbench.run.interrupts import Interrupts, interrupts
from ltxbench.run.journal import Journal, RunStated
from ltxbench.run.listener import Listener
from ltxbench.run.memory_need import check, too_large
from ltxbench.run.options import Options
from ltxbench.run.order import planned, rounds
from ltxbench.run.probe import probe_engine, probe_memory
from ltxbench.run.records import Resumption, RunRecord, Schedule, Weights
from ltxbench.run.resume import examine_run, find_run, read_run, restore_record
from ltxbench.run.script import Script
from ltxbench.run.session import Session, prospective, utc_now
from ltxbench.run.space import check_space
from ltxbench.run.store import RunFolder
from ltxbench.weights.files import WeightFiles


@dataclass(frozen=True)
class Work:
    """What is to be run, from what, and where it is kept."""

    matrix: Matrix
    cases: Sequence[Case]
    """In any order; all of the matrix's, or those chosen."""
    weights: WeightFiles
    root: Path
    engine: str = "mlx"
    weights_digest: str | None = None
    command: Sequence[str] | None = None

    @property
    def chosen(self) -> list[Case]:
        """In the matrix's order."""
        by_name = {case.name: case for case in self.cases}
        return [by_name[case.name] for case in self.matrix.cases if case.name in by_name]


def run_matrix(work: Work, options: Options | None = None, listener: Listener | None = None) -> RunFolder:
    """Runs the chosen cases, round by round, and returns the run as stored.

    A case that fails stays in the run with its outcome, and the next one goes on. After a first Ctrl-C the running
    round ends as interrupted and the rest has no record; `resume_run` takes it up.

    Raises UsageError for an unknown engine or script; InvalidMeasurement when the machine is in no state to be
    measured, unless that is overridden; ResourceError when the disk cannot take the run or fills up, and when a case
    needs more memory than there is; the worker's own error when the prompt cannot be enhanced; KeyboardInterrupt when
    it is interrupted before the first case or twice.
    """
    options, listener = options or Options(), listener or Listener()
    script = _script(work.engine)
    schedule = rounds([case.name for case in work.chosen], options.repeats or 1, options.order_seed)
    schedule = schedule.model_copy(
        update={"check": options.check, "cooldown": str(options.cooldown) if options.cooldown else None}
    )
    needed_bytes = check_space(work.root, work.chosen, len(planned(schedule)), lossless=options.lossless)
    with interrupts() as asked:
        record = _describe(work, schedule, asked)
        warm_up = record.machine.accelerator is not None if options.warm_up is None else options.warm_up
        schedule = schedule.model_copy(update={"warm_up": warm_up})
        admission = _admit(record, work, work.chosen, options, listener, asked, script, needed_bytes)
        record = record.model_copy(update={"schedule": schedule, "examination": admission.examination})
        run = store.create(work.root, record)
        journal = Journal(run.path / store.JOURNAL_FILE)
        journal.append(RunStated(record=record))
        session = Session(run, journal, work.weights, work.engine, listener, asked, options, script)
        session.admission = admission
        return _go(session, planned(schedule))


def resume_run(work: Work, which: str, options: Options | None = None, listener: Listener | None = None) -> RunFolder:
    """Takes up the run `which` (see resume.find_run): what is complete and verified stays as it is, the rest is run.

    A round that did not end well is run again. Where nothing is left to do, nothing is written.

    Raises ResultError when there is no such run, when it cannot be read, and when the matrix, the code, the weights or
    the machine are not those that it was begun with; and all that `run_matrix` raises.
    """
    options, listener = options or Options(), listener or Listener()
    script = _script(work.engine)
    path = find_run(work.root, work.matrix.name, which)
    stored, contents = read_run(path)
    with interrupts() as asked:
        record = continued(stored, _describe(work, stored.schedule, asked), options)
        remains = examine_run(path, record, contents)
        for note in remains.notes:
            listener.note(note)
        run = RunFolder(path, record, store.in_order(remains.complete))
        done = {(kept.case.name, kept.round) for kept in remains.complete}
        todo = tuple(each for each in planned(record.schedule) if each not in done)
        if not todo:
            listener.note("nothing is left to do: every round is complete and verified")
            restore_record(path, record)
            return run
        left = {name for name, _ in todo}
        cases = [case for case in record.matrix.cases if case.name in left]
        needed_bytes = check_space(path, cases, len(todo), lossless=options.lossless)
        admission = _admit(record, work, cases, options, listener, asked, script, needed_bytes)
        resumption = Resumption(utc=utc_now(), kept=len(done), notes=remains.notes, examination=admission.examination)
        journal = Journal(path / store.JOURNAL_FILE, lines=remains.lines)
        session = Session(run, journal, work.weights, work.engine, listener, asked, options, script)
        session.admission = admission
        session.deaths, session.attempts = remains.deaths, dict(remains.attempts)
        return _go(session, todo, resumption)


def _go(session: Session, todo: Sequence[tuple[str, int]], resumption: Resumption | None = None) -> RunFolder:
    with session:
        if resumption is not None:
            session.state(resumptions=(*session.run.record.resumptions, resumption))
        if session.engine == "mlx" and session.run.record.machine.accelerator is None:
            session.use_fast_blas()
        numbered = {case.name: (number, case) for number, case in enumerate(session.run.record.matrix.cases, start=1)}
        session.listener.run_started(session.run, [(numbered[name][1], round_number) for name, round_number in todo])
        session.measure_matmul()
        if session.run.record.conditioning is None:
            session.enhance()
        for name, round_number in todo:
            if session.asked.asked:
                break
            number, case = numbered[name]
            session.run_round(case, number, round_number)
        return session.run


def _describe(work: Work, schedule: Schedule, asked: Interrupts) -> RunRecord:
    """The record of a run that begins now, but for what is measured first. Raises the worker's error, UsageError."""
    script = _script(work.engine)
    accelerator = script.accelerator if script else probe_engine(work.engine, asked)
    return prospective(
        RunRecord(
            id=store.new_run_id(),
            ltxbench_version=ltxbench.__version__,
            created_utc=utc_now(),
            matrix=work.matrix,
            machine=describe_machine(accelerator),
            weights=Weights(kind=work.weights.kind, synthetic=work.weights.synthetic, digest=work.weights_digest),
            command=tuple(work.command if work.command is not None else ["ltxbench", *sys.argv[1:]]),
            schedule=schedule,
            selected=tuple(case.name for case in work.chosen),
            engine=work.engine.partition(":")[0],
            code_sha256=code_sha256(),
        )
    )


def _admit(
    record: RunRecord,
    work: Work,
    cases: Sequence[Case],
    options: Options,
    listener: Listener,
    asked: Interrupts,
    script: Script | None,
    needed_bytes: int,
) -> Admission:
    """Whether the machine can take these cases now. Raises InvalidMeasurement, ResourceError, KeyboardInterrupt."""
    skipped: Mapping[str, str] = {}
    if options.memory_check and (script is None or script.survey.needs):
        skipped = _check_memory(work, cases, options, listener, asked)
    accelerator = record.machine.accelerator
    return admit(accelerator, work.root, needed_bytes, options, script, skipped)


def refuse_too_large(engine: str, cases: Sequence[Case], weights: WeightFiles) -> None:
    """Before anything is made for the run: raises ResourceError when a case needs more memory than there is."""
    with interrupts() as asked:
        if (survey := probe_memory(engine, cases, weights, asked)) is not None:
            check(survey)


def _check_memory(
    work: Work, cases: Sequence[Case], options: Options, listener: Listener, asked: Interrupts
) -> Mapping[str, str]:
    """Cases to skip, and why. A run goes on without the check where the need cannot be told: weights that are wrong
    end their own cases."""
    try:
        survey = probe_memory(work.engine, cases, work.weights, asked)
    except LtxbenchError as error:
        listener.note(error.message)
        return {}
    if survey is None:
        return {}
    if options.skip_too_large:
        return too_large(survey)
    check(survey)
    return {}


def _script(engine: str) -> Script | None:
    """None for the real engine. Raises UsageError for an engine that there is not, and for a wrong script."""
    kind, _, argument = engine.partition(":")
    if kind == "scripted":
        return Script.load(Path(argument))
    check_name(engine)
    return None
