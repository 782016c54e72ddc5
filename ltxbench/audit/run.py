"""`ltxbench audit`: runs cases of a stored run again and asks whether its videos and times are what they seem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

import ltxbench
from ltxbench.audit.execution import Execution, Executor, recorded
from ltxbench.audit.records import Answer, Audit, CaseAudit, Check, Finding, write_audit
from ltxbench.audit.rules import Pair, nothing_kept, other_seed, same_seed, untouched
from ltxbench.errors import LtxbenchError, UsageError
from ltxbench.matrix.case import Case
from ltxbench.measure.blas import find_blas, preload_environment
from ltxbench.measure.machine import describe_machine
from ltxbench.run.engine import check_name
from ltxbench.run.identity import code_sha256
from ltxbench.run.interrupts import Interrupts, interrupts
from ltxbench.run.probe import probe_engine
from ltxbench.run.records import CaseRecord, Machine, Outcome, RunRecord
from ltxbench.run.store import RunFolder
from ltxbench.weights.files import FROM_DISK, WeightFiles
from ltxbench.weights.resolve import digest, resolve

COMPUTES = ("mlx", "mlx-metal", "mlx-cpu", "mlx-cuda-13", "numpy")
"""Packages whose version may change a bit of the result."""
ATTEMPTS = 3  # a suspicion, or noise, is run again before it counts

Tell = Callable[[str], None]


def audit(
    run: RunFolder,
    *,
    names: Sequence[str] = (),
    everything: bool = False,
    engine: str = "mlx",
    limit_s: float | None = None,
    tell: Tell = lambda _line: None,
) -> Audit:
    """Audits the named cases, all that went well, or the cheapest one; writes audit.json into the run's folder.

    What cannot be tested is said so with its reason, never passed. Raises UsageError for a name that the run does not
    have, KeyboardInterrupt, ResourceError when the audit cannot be written.
    """
    chosen = _choose(run, names, everything=everything)
    with interrupts() as asked:
        reason, executor, differences = _prepare(run.record, [record.case for record in chosen], engine, limit_s, asked)
        cases = []
        for record in chosen:
            if executor is None:
                cases.append(_untested(record.case.name, reason or ""))
            elif record.outcome is not Outcome.OK or record.video is None:
                cases.append(_untested(record.case.name, f"it ended as {record.outcome.value} and left no video"))
            else:
                cases.append(_audit_case(run, record, executor, differences, tell))
    found = Audit(
        run=run.record.id,
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        ltxbench_version=ltxbench.__version__,
        differences=tuple(differences),
        cases=tuple(cases),
    )
    write_audit(run.path, found)
    return found


def cheapest(run: RunFolder) -> CaseRecord | None:
    """The case that generates fastest, of those that left a video."""
    timed = {
        record.case.name: median(times)
        for record in run.cases
        if record.outcome is Outcome.OK and record.video is not None
        if (
            times := [
                one.times.generation_s for one in run.rounds_of(record.case.name) if one.times.generation_s is not None
            ]
        )
    }
    return min(
        (record for record in run.cases if record.case.name in timed),
        key=lambda record: (timed[record.case.name], record.number),
        default=None,
    )


def _choose(run: RunFolder, names: Sequence[str], *, everything: bool) -> list[CaseRecord]:
    known = {record.case.name: record for record in run.cases}
    if missing := [name for name in names if name not in known]:
        raise UsageError(
            f"{run.path} has no result of {', '.join(missing)}", hint=f"Its cases: {', '.join(known) or 'none'}."
        )
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    if everything:
        return list(run.cases)
    first = cheapest(run) or next(iter(run.cases), None)
    if first is None:
        raise UsageError(f"{run.path} has no result of any case", hint="Resume the run first.")
    return [first]


def _prepare(
    record: RunRecord, cases: Sequence[Case], engine: str, limit_s: float | None, asked: Interrupts
) -> tuple[str | None, Executor | None, list[str]]:
    """Why nothing can be run again, or what runs it and in what that differs from the run."""
    if record.imported is not None:
        return "the run's figures come from elsewhere, there is nothing to run again", None, []
    if record.conditioning is None:
        return "the run does not hold the text that was encoded", None, []
    check_name(engine)
    scripted = engine.startswith("scripted:")
    kind = record.weights.kind
    try:
        weights = (
            _no_files(record)
            if scripted
            else resolve(kind.removesuffix(FROM_DISK), cases, from_disk=kind.endswith(FROM_DISK))
        )
        accelerator = probe_engine(engine, asked)
        weights_digest = None if scripted else digest(weights, record_cases(record))
    except LtxbenchError as error:
        return f"the run's weights or engine are not here: {error.message}", None, []
    fast = engine == "mlx" and accelerator is None
    environment: Mapping[str, str] = preload_environment(find_blas()) if fast else {}
    executor = Executor(record, weights, engine, environment, limit_s, asked)
    return None, executor, _differences(record, describe_machine(accelerator), weights_digest)


def record_cases(record: RunRecord) -> list[Case]:
    """The cases whose files the run's digest is over."""
    selected = set(record.selected) or {case.name for case in record.matrix.cases}
    return [case for case in record.matrix.cases if case.name in selected]


def _no_files(record: RunRecord) -> WeightFiles:
    weights = record.weights
    return WeightFiles(
        kind=weights.kind,
        synthetic=weights.synthetic,
        distilled=None,
        dev=None,
        distilled_lora=None,
        upscaler=None,
        gemma=None,
    )


def _differences(record: RunRecord, machine: Machine, weights_digest: str | None) -> list[str]:
    """What may rightly change a bit of the result, in clauses."""
    old = record.machine
    code = record.code_sha256, code_sha256()
    pairs: list[tuple[str, object, object]] = [
        ("weights", record.weights.digest, weights_digest),
        ("ltxbench", record.ltxbench_version, ltxbench.__version__),
        ("code", *code) if record.code_sha256 is not None else ("commit", old.git_commit, machine.git_commit),
        ("chip", old.chip, machine.chip),
        ("accelerator", old.accelerator, machine.accelerator),
        ("architecture", old.arch, machine.arch),
        *((name, old.packages.get(name), machine.packages.get(name)) for name in COMPUTES),
    ]
    return [f"{name}: was {was or 'none'}, is {now or 'none'}" for name, was, now in pairs if was != now]


def _audit_case(
    run: RunFolder, record: CaseRecord, executor: Executor, differences: Sequence[str], tell: Tell
) -> CaseAudit:
    case = record.case
    tell(f"{case.name}: once more, in a fresh process")
    fresh = executor.once(case)
    tell(f"{case.name}: without step timer and memory sampler")
    bare = executor.once(case, instrumented=False)
    tell(f"{case.name}: another seed")
    other = executor.once(case.model_copy(update={"seed": case.seed + 1}))
    tell(f"{case.name}: twice in one process")
    first, second = executor.twice(case)
    comparable = not differences
    untested = [] if comparable else [f"not compared with the run itself ({'; '.join(differences)})"]
    own = recorded(record)
    pairs = [Pair(fresh, first, "two fresh processes"), Pair(first, second, "two generations of one process")]
    instruments = [Pair(fresh, bare, "with and without instruments, both fresh")]
    if comparable:
        pairs.insert(0, Pair(own, fresh, "the run and a fresh process"))
    check = run.check_of(case.name)
    if check is not None:
        instruments.insert(0, Pair(own, recorded(check), "the timed round and the run's own check"))
    return CaseAudit(
        case=case.name,
        findings=(
            same_seed(pairs, untested),
            other_seed(fresh, other),
            _nothing_kept(case, executor, (fresh, bare, first), second, tell),
            untouched(instruments),
        ),
    )


def _nothing_kept(case: Case, executor: Executor, fresh: Sequence[Execution], second: Execution, tell: Tell) -> Finding:
    """A repetition that seems too fast, or that drowns in noise, is repeated itself before it counts."""
    all_fresh, repeated = list(fresh), [second]
    finding = nothing_kept(all_fresh, repeated)
    while finding.answer is not Answer.PASSED and finding.threshold is not None and len(repeated) < ATTEMPTS:
        tell(f"{case.name}: twice in one process, once more: {finding.sentence}")
        again = executor.twice(case)
        all_fresh.append(again[0])
        repeated.append(again[1])
        finding = nothing_kept(all_fresh, repeated)
    return finding


def _untested(name: str, reason: str) -> CaseAudit:
    sentence = f"{reason[:1].upper()}{reason[1:]}."
    findings = (Finding(check=check, answer=Answer.UNTESTED, sentence=sentence) for check in Check)
    return CaseAudit(case=name, findings=tuple(findings))
