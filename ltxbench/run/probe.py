"""What a run has to know about the machine before its first case, asked of a worker: MLX is never imported here."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ltxbench.errors import LtxbenchError
from ltxbench.matrix.case import Case
from ltxbench.run import store
from ltxbench.run.collect import Collector
from ltxbench.run.engine import MatmulJob, SurveyJob
from ltxbench.run.interrupts import Interrupts
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import MatmulRate, Outcome
from ltxbench.run.supervisor import Ended, supervise
from ltxbench.run.worker import WorkerJob
from ltxbench.weights.files import WeightFiles

LIMIT_S = 600.0
MATMUL_BUDGET_S = 1.0


def probe_engine(engine: str, asked: Interrupts | None = None) -> str | None:
    """The engine's accelerator. Raises the worker's own error when it cannot be started, KeyboardInterrupt."""
    return _probe(engine, None, "the engine could not be started", asked=asked).accelerator


def probe_matmul(
    engine: str,
    environment: Mapping[str, str],
    asked: Interrupts | None = None,
    *,
    budget_s: float = MATMUL_BUDGET_S,
) -> MatmulRate | None:
    """The rate of matrix products in a process with the cases' own `environment`; None where the engine has none.

    Raises LtxbenchError when the worker does not get to it, KeyboardInterrupt.
    """
    job = MatmulJob(matmul_budget_s=budget_s)
    what = "the machine's rate of matrix products was not measured"
    return _probe(engine, job, what, environment, asked).matmul


def probe_memory(
    engine: str, cases: Sequence[Case], weights: WeightFiles, asked: Interrupts | None = None
) -> Survey | None:
    """What the cases need and what there is. Raises LtxbenchError where that cannot be told, KeyboardInterrupt."""
    job = SurveyJob(cases=tuple(cases), weights=weights)
    return _probe(engine, job, "the memory needed was not estimated", asked=asked).survey


def _probe(
    engine: str,
    task: MatmulJob | SurveyJob | None,
    failed: str,
    environment: Mapping[str, str] | None = None,
    asked: Interrupts | None = None,
) -> Collector:
    collector = Collector()
    with tempfile.TemporaryDirectory(prefix="ltxbench-") as folder:
        ended = supervise(
            WorkerJob(engine=engine, task=task, folder=Path(folder)),
            collector,
            output=Path(folder) / store.OUTPUT_FILE,
            limit_s=LIMIT_S,
            environment=environment,
            interrupts=asked,
        )
    if collector.verdict(ended)[0] is not Outcome.OK:
        raise as_error(collector, ended, failed)
    return collector


def as_error(collector: Collector, ended: Ended, what: str) -> BaseException:
    """The worker's own error where it told one."""
    outcome, failure = collector.verdict(ended)
    if outcome is Outcome.INTERRUPTED:
        return KeyboardInterrupt()
    told = collector.failed
    kinds = {kind.exit_code: kind for kind in LtxbenchError.__subclasses__()}
    if told is not None and told.exit_code in kinds:
        return kinds[told.exit_code](f"{what}: {told.message}", hint=told.hint)
    message = failure.message if failure else "it gave no result"
    last = ended.output_tail.strip().splitlines()[-1:]
    return LtxbenchError(f"{what}: {message}", hint=f"It printed last: {last[0]}" if last else None)
