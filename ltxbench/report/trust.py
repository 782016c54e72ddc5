"""What the page says about trust: one line for the run, a badge and a sentence a case, and the rest folded."""

from __future__ import annotations

from collections.abc import Iterator

from ltxbench.report import conditions
from ltxbench.report import format as fmt
from ltxbench.report.badges import SEPARATOR, Badges, badge, closed, extent, word
from ltxbench.report.page import Cell, Column, Folded, Remark, Table, Trust
from ltxbench.report.results import Results
from ltxbench.report.tables import label
from ltxbench.trust.reasons import Code, Reason

MOST_SIZES = 4


def trust(results: Results, badges: Badges) -> Trust:
    folded = (
        conditions.spread(results),
        conditions.how(results),
        conditions.examination(results),
        conditions.around_cases(results),
        _audit(results),
    )
    return Trust(
        word=results.verdict.word,
        summary=summary(results, badges),
        remarks=tuple(_remarks(results, badges)),
        table=_table(results, badges),
        advice=tuple(_advice(results)),
        folded=tuple(part for part in folded if part is not None),
    )


def summary(results: Results, badges: Badges) -> str:
    """The run in one line: its own reasons, then how many cases each other reason touches."""
    verdict = results.verdict
    parts = [reason.badge for reason in verdict.reasons]
    touched: dict[Code, list[tuple[str, Reason]]] = {}
    for case in verdict.cases:
        for reason in case.reasons:
            touched.setdefault(reason.code, []).append((case.name, reason))
    numbers = {case.name: number for number, case in enumerate(results.run.matrix.cases, start=1)}
    by_weight = sorted(touched.items(), key=lambda item: item[1][0][1].grade)
    for code, found in by_weight:
        parts.append(f"{code.value}: {_who(found, numbers, len(verdict.cases))}")
    found_pictures = [numbers[name] for name in badges.findings if name in numbers and badges.findings[name]]
    if found_pictures:
        parts.append(f"pictures stand out: {fmt.cases(found_pictures)}")
    if not parts:
        return "Nothing limits these figures."
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _who(found: list[tuple[str, Reason]], numbers: dict[str, int], count: int) -> str:
    sized = {numbers[name]: extent(reason) for name, reason in found if reason.size is not None}
    if sized and len(sized) <= MOST_SIZES:
        return ", ".join(f"#{number} ({size})" for number, size in sized.items())
    names = {name for name, _ in found}
    if len(names) == count > 1:
        return "every case"
    return fmt.cases(numbers[name] for name in names)


def _remarks(results: Results, badges: Badges) -> Iterator[Remark]:
    for reason in results.verdict.reasons:
        yield Remark("The run", f"{closed(reason.sentence)} {closed(reason.advice)}")
    for reason in badges.shared:
        yield Remark("Every case", f"{closed(reason.sentence)} {closed(reason.advice)}")


def _table(results: Results, badges: Badges) -> Table:
    """A badge and a sentence a case; what all cases share is said above it."""
    columns = (
        Column("#", numeric=True),
        Column("Configuration"),
        Column("Rounds", numeric=True),
        Column("Verdict"),
        Column("Why"),
    )
    shared = {(reason.code, reason.sentence) for reason in badges.shared}
    rows = []
    for record in results.records:
        name = record.case.name
        verdict = results.verdict_of(name)
        own = [badge(reason) for reason in verdict.reasons if (reason.code, reason.sentence) not in shared]
        words = dict.fromkeys([word(verdict), *own, *(finding.badge for finding in badges.findings.get(name, ()))])
        rows.append(
            (
                *label(record),
                Cell(conditions.counts_finished(results, record)),
                Cell(SEPARATOR.join(words)),
                Cell(badges.sentence(name) or "as measured"),
            )
        )
    return Table(columns, tuple(rows))


def _advice(results: Results) -> Iterator[str]:
    """What to do, each once."""
    reasons = [reason for case in results.verdict.cases for reason in case.reasons]
    yield from dict.fromkeys(closed(reason.advice) for reason in reasons if reason.code is not Code.NOT_FINISHED)


def _audit(results: Results) -> Folded | None:
    """What `ltxbench audit` found; None where it was not asked."""
    audit = results.audit
    if audit is None:
        return None
    columns = (Column("Case"), Column("Audit"), Column("Answer"), Column("What came out"))
    rows = tuple(
        (Cell(case.case), Cell(one.check.value), Cell(one.answer.value), Cell(closed(one.sentence)))
        for case in audit.cases
        for one in case.findings
    )
    answers = [one.answer for case in audit.cases for one in case.findings]
    counts = ", ".join(f"{answers.count(answer)} {answer.value}" for answer in dict.fromkeys(answers))
    note = " ".join(closed(clause) for clause in audit.differences)
    return Folded(f"What ltxbench audit found: {counts or 'nothing was audited'}", (), (Table(columns, rows),), note)


def folded_case(results: Results, name: str) -> Folded | None:
    """The rounds of one case, each with its own figures; None for a single one."""
    rounds = results.rounds_of(name)
    if len(rounds) < 2:
        return None
    columns = (
        Column("Round", numeric=True),
        Column("Outcome"),
        Column("Generation", numeric=True),
        Column("Load", numeric=True),
        Column("Wall", numeric=True),
        Column("MLX peak", numeric=True),
        Column("Frames, sha256"),
    )
    rows = tuple(
        (
            Cell(str(record.round)),
            Cell(record.outcome.value),
            Cell(fmt.seconds(record.times.generation_s)),
            Cell(fmt.seconds(record.times.load_s)),
            Cell(fmt.seconds(record.times.wall_s)),
            Cell(fmt.gib(record.memory.mlx_peak_bytes)),
            Cell(record.video.frames_sha256[: conditions.SHORT] if record.video else fmt.MISSING),
        )
        for record in rounds
    )
    return Folded(f"All {len(rounds)} rounds", (), (Table(columns, rows),), "")
