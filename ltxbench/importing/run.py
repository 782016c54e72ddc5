"""From files with published figures to a run in the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import ltxbench
from ltxbench.errors import ResultError, UsageError
from ltxbench.importing.cases import MAX_TITLE, NotRepresentable, Reading, name_of, slug, to_case
from ltxbench.importing.checks import case_notes, common_notes, label
from ltxbench.importing.claims import Stated, find_claims
from ltxbench.importing.found import Found, from_page, from_printed
from ltxbench.importing.page import Page, parse_page
from ltxbench.importing.printed import is_printed, parse_printed, split_printed
from ltxbench.importing.qualify import qualify
from ltxbench.importing.quantity import size
from ltxbench.importing.rounds import UNKNOWN, to_record
from ltxbench.importing.sources import Source, read_sources, sum_of
from ltxbench.matrix.case import Matrix
from ltxbench.matrix.names import MAX_LENGTH, RULE, objection
from ltxbench.run import store
from ltxbench.run.records import CaseRecord, Import, Machine, RunRecord, Weights
from ltxbench.run.store import RunFolder

PUBLISHED = "-published"
MAX_CASES = 1000
NOT_RECORDED = "not recorded"

UNITS = "The program's MB are 2^20 bytes; its peak and mean are MLX's own counters, not the process's footprint."
OPEN = (
    "Not stated, and absent here: operating system, versions of MLX and of the program, power and thermal state, "
    "checksums of the weights, noise levels unless a debug log shows them."
)
STARTS = "When phases and steps began is not printed; they are laid end to end."
ONCE = "Each case ran once: there is no spread, and no difference between two cases can be tested."
ENHANCED = (
    "Each case enhanced the prompt for itself, sampling at temperature 0.7: the cases encoded different texts, their "
    "videos show different scenes, and no quality can be compared between them."
)


def import_published(
    paths: Sequence[Path], runs: Path, *, name: str | None = None, command: Sequence[str] = ()
) -> RunFolder:
    """Reads one page, or printed output with a case a file, and stores it as a run under `runs`.

    `name` is the matrix's; by default the page's title with `-published`, so that it never replaces a matrix measured
    here. Raises UsageError for a name that cannot be one, ResultError when the files hold no case, ResourceError when
    the run cannot be written.
    """
    if name is not None and (why := objection(name)) is not None:
        raise UsageError(f"{name!r} cannot name a matrix: {why}", hint=RULE)
    sources = read_sources(paths)
    page, found = _read(sources)
    readings, left_out = _readings(found)
    if not readings:
        reasons = "; ".join(left_out) or "there is neither a profile nor a command line of `ltx-video generate`"
        raise ResultError(
            f"{', '.join(str(path) for path in paths)}: holds no case that can be imported: {reasons}",
            hint="Give a page with a summary and profiles, or the printed output of `ltx-video generate --profile`.",
        )
    records = [to_record(case, reading.case, number) for number, (case, reading) in enumerate(readings, start=1)]
    title = page.title if page is not None and page.title else "Printed profiles"
    matrix = _matrix(readings, title, name, sources)
    record = RunRecord(
        id=store.new_run_id(),
        ltxbench_version=ltxbench.__version__,
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        matrix=matrix,
        machine=_machine(page.hardware if page is not None else None),
        weights=Weights(kind=NOT_RECORDED, synthetic=False),
        command=tuple(command),
        conditioning=None if matrix.enhance else matrix.prompt,
        conditioning_shared=_shared([case for case, _ in readings]),
        selected=tuple(case.name for case in matrix.cases),
        imported=_import(page, readings, left_out, records, sources),
    )
    run = store.create(runs, record)
    for case_record in records:
        run = store.write_case(run, case_record)
    return run


def _read(sources: Sequence[Source]) -> tuple[Page | None, list[Found]]:
    """Pages hold many cases, printed output one a run; cases of several files are numbered in their order."""
    pages = [(source, parse_page(source.text)) for source in sources if not is_printed(source.text)]
    found = [case for _, page in pages for case in from_page(page)]
    printed = [source for source in sources if is_printed(source.text)]
    if len(pages) > 1 or (found and printed):
        raise UsageError(
            f"{sources[0].path} and {len(sources) - 1} more: one page, or printed output alone, makes a run",
            hint="Import each page by itself.",
        )
    for source in printed:
        stem = re.sub(r"[_\s]+", " ", source.path.stem).strip()
        parts = split_printed(source.text)
        for index, part in enumerate(parts, start=1):
            title = f"{stem} {index}".strip() if len(parts) > 1 else stem or f"case {len(found) + 1}"
            found.append(from_printed(parse_printed(part), len(found) + 1, title))
    if len(found) > MAX_CASES:
        raise ResultError(f"{len(found):,} cases are more than the {MAX_CASES:,} that one run holds")
    return (pages[0][1] if pages else None), found


def _readings(found: Sequence[Found]) -> tuple[list[tuple[Found, Reading]], list[str]]:
    """What could be read, and in clauses what had to be left out."""
    readings: list[tuple[Found, Reading]] = []
    left_out: list[str] = []
    for case in found:
        if case.profile.empty and not case.summary and case.ending is None:
            left_out.append(f"{label(case)} has no figures")
            continue
        name = name_of(case, [reading.case.name for _, reading in readings])
        try:
            readings.append((case, to_case(case, name)))
        except NotRepresentable as error:
            left_out.append(f"{label(case)} is left out: {error}")
    return readings, left_out


def _matrix(
    readings: Sequence[tuple[Found, Reading]], title: str, name: str | None, sources: Sequence[Source]
) -> Matrix:
    prompts = list(dict.fromkeys(case.settings.prompt for case, _ in readings if case.settings.prompt))
    negative = next((case.settings.negative_prompt for case, _ in readings if case.settings.negative_prompt), None)
    subject = re.split(r"\s+[—–|:-]\s+", title)[0]
    base = slug(subject)[: MAX_LENGTH - len(PUBLISHED)] or "run"
    derived = f"{base}{PUBLISHED}"
    return Matrix(
        name=name or (derived if objection(derived) is None else f"run{PUBLISHED}"),
        title=f"{subject[:MAX_TITLE]}, as published",
        prompt=" / ".join(prompts) or UNKNOWN,
        enhance=any(case.settings.enhance for case, _ in readings),
        negative_prompt=negative or "",
        cases=tuple(reading.case for _, reading in readings),
        source=", ".join(source.path.name for source in sources),
        source_sha256=sum_of(sources),
    )


def _shared(cases: Sequence[Found]) -> bool | None:
    """Whether all encoded one text: told by the texts where debug logs show them, else by who enhanced for himself."""
    if len(cases) == 1:
        return True
    prompts = {case.settings.prompt for case in cases}
    texts = [case.enhanced if case.settings.enhance else case.settings.prompt for case in cases]
    if None not in texts:
        return len(set(texts)) == 1
    if any(case.settings.enhance for case in cases):
        return False
    return None if None in prompts else len(prompts) == 1


def _machine(hardware: str | None) -> Machine:
    """What a sentence such as `Apple Silicon M3 Max 96GB` says."""
    words = hardware or ""
    memory = re.search(r"\b(\d{1,4})\s*Gi?B\b", words)
    chip = re.sub(r"\s*[,(]?\s*\b\d{1,4}\s*Gi?B\b.*$", "", words).strip(" ,.;") or UNKNOWN
    if re.search(r"\bM\d\b", chip):
        chip = re.sub(r"^(?:Apple\s+)?(?:Silicon\s+)?", "Apple ", chip)
    bytes_ = size(memory.group()) if memory else None
    return Machine(
        chip=chip[:MAX_TITLE],
        memory_bytes=round(bytes_.value) if bytes_ else None,
        os=UNKNOWN,
        arch=UNKNOWN,
        accelerator=chip[:MAX_TITLE] if chip.startswith("Apple ") else None,
        cpu_cores=None,
        python=UNKNOWN,
        packages={},
    )


def _import(
    page: Page | None,
    readings: Sequence[tuple[Found, Reading]],
    left_out: Sequence[str],
    records: Sequence[CaseRecord],
    sources: Sequence[Source],
) -> Import:
    cases = [case for case, _ in readings]
    stated: Sequence[Stated] = find_claims(page, cases) if page is not None else ()
    by_number = {case.number: record for case, record in zip(cases, records, strict=True)}
    shared = _shared(cases)
    notes = [
        ONCE,
        *([ENHANCED] if shared is False and any(case.settings.enhance for case in cases) else []),
        *([] if page is None or page.hardware is None else [f"Hardware, as stated: {page.hardware}."]),
        UNITS,
        *common_notes(cases),
        *(note for case, reading in readings for note in case_notes(case, reading.case)),
        *(
            f"{label(case)}: not stated, taken as {', '.join(reading.assumed)}."
            for case, reading in readings
            if reading.assumed
        ),
        *(f"{reason[0].upper()}{reason[1:]}." for reason in left_out),
        STARTS,
        OPEN,
    ]
    return Import(
        source=", ".join(source.path.name for source in sources),
        source_sha256=sum_of(sources),
        notes=tuple(notes),
        as_published={reading.case.name: case.as_published for case, reading in readings},
        claims=tuple(qualify(claim, cases, by_number) for claim in stated),
    )
