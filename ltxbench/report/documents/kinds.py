"""What can be generated: each kind of block turns its options into Markdown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ltxbench import errors
from ltxbench.errors import ResultError, UsageError
from ltxbench.report import escape
from ltxbench.report import results as stored
from ltxbench.report.documents.blocks import Block
from ltxbench.report.documents.columns import COLUMNS, Column, Subject
from ltxbench.report.measured import measured
from ltxbench.report.results import Results
from ltxbench.run import store

HELP_WIDTH = 100
DEFAULT_COLUMNS = "number,case,model,steps,guidance,resolution,generation,peak,mean"


@dataclass
class Sources:
    """Where blocks get their figures from; a run is read once."""

    reports: Path
    results: dict[Path, Results] = field(default_factory=dict)

    def of(self, run: Path) -> Results:
        """Raises ResultError."""
        place = run.resolve()
        if place not in self.results:
            self.results[place] = stored.read(store.load(run))
        return self.results[place]


@dataclass(frozen=True)
class Kind:
    generate: Callable[[Block, Path, Sources], str]
    """(block, the document, sources)"""
    options: frozenset[str]
    required: frozenset[str] = frozenset()
    inline: bool = False
    """Within a line of text; the others stand on lines of their own."""


def generate(block: Block, path: Path, sources: Sources) -> str:
    """Raises UsageError or ResultError, with the document and the line."""
    where = block.where(path)
    kind = KINDS.get(block.kind)
    if kind is None:
        raise UsageError(
            f"{where}: there is no kind of block {block.kind!r}{_meant(block.kind, KINDS)}", hint=_listed(KINDS)
        )
    for option in block.options:
        if option not in kind.options:
            raise UsageError(
                f"{where}: {block.kind} has no option {option!r}{_meant(option, kind.options)}",
                hint=_listed(kind.options),
            )
    if missing := sorted(kind.required - set(block.options)):
        raise UsageError(f"{where}: {block.kind} needs {' and '.join(missing)}")
    if kind.inline is not block.inline:
        place = "within one line" if kind.inline else "with its comments on lines of their own"
        raise UsageError(f"{where}: {block.kind} is written {place}")
    try:
        return kind.generate(block, path, sources)
    except ResultError as error:
        raise ResultError(f"{where}: {error.message}", hint=error.hint) from None
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from None


def table(block: Block, path: Path, sources: Sources) -> str:
    names = [name.strip() for name in block.options.get("columns", DEFAULT_COLUMNS).split(",")]
    columns = [_column(name) for name in names]
    results = _results(block, path, sources)
    lines = [
        "| " + " | ".join(escape.text(column.title) for column in columns) + " |",
        "| " + " | ".join("---:" if column.numeric else "---" for column in columns) + " |",
    ]
    for subject in _subjects(results, block.options.get("cases")):
        cells = [(column, column.of(subject)) for column in columns]
        lines.append(
            "| "
            + " | ".join((escape.unbroken if column.numeric else escape.text)(text) for column, text in cells)
            + " |"
        )
    return "\n".join(lines)


def figure(block: Block, path: Path, sources: Sources) -> str:
    column = _column(block.options["column"])
    subject = _subjects(_results(block, path, sources), block.options["case"])
    if len(subject) != 1:
        raise UsageError(f"{block.options['case']!r} names {len(subject)} cases, and a figure is of one")
    return escape.unbroken(column.of(subject[0]))


def help_text(block: Block, path: Path, sources: Sources) -> str:  # noqa: ARG001 - one signature for all kinds
    """What `ltxbench COMMAND --help` prints, 100 characters wide."""
    from typer.core import TyperGroup
    from typer.main import get_command

    from ltxbench.cli.app import app

    command = get_command(app)
    context = command.context_class(command, info_name="ltxbench", terminal_width=HELP_WIDTH)
    for name in block.options.get("command", "").split():
        group = command if isinstance(command, TyperGroup) else None
        inner = group.get_command(context, name) if group is not None else None
        if inner is None:
            known = group.list_commands(context) if group is not None else []
            raise UsageError(f"there is no command {name!r}{_meant(name, known)}", hint=_listed(known))
        context = inner.context_class(inner, info_name=name, parent=context, terminal_width=HELP_WIDTH)
        command = inner
    return escape.fence("\n".join(line.rstrip() for line in command.get_help(context).splitlines()), "text")


def exit_codes(block: Block, path: Path, sources: Sources) -> str:  # noqa: ARG001 - one signature for all kinds
    """From the tree in errors.py, which a test holds to the classes."""
    found = re.findall(r"^(?:[├└]── )?\w+ +(\d+) +(.+)$", errors.__doc__ or "", flags=re.MULTILINE)
    rows = [(0, "fine"), *((int(code), words) for code, words in found), (errors.INTERRUPTED, "interrupted")]
    lines = [
        "| Code | Meaning |",
        "|---:|---|",
        *(f"| {code} | {escape.text(words)} |" for code, words in sorted(rows)),
    ]
    return "\n".join(lines)


def columns_table(block: Block, path: Path, sources: Sources) -> str:  # noqa: ARG001 - one signature for all kinds
    """The columns that a table may have."""
    rows = [f"| `{name}` | {escape.text(column.title)} |" for name, column in COLUMNS.items()]
    return "\n".join(["| Name | Heading |", "|---|---|", *rows])


KINDS: Mapping[str, Kind] = {
    "table": Kind(table, frozenset({"matrix", "run", "columns", "cases"})),
    "figure": Kind(
        figure, frozenset({"matrix", "run", "column", "case"}), required=frozenset({"column", "case"}), inline=True
    ),
    "help": Kind(help_text, frozenset({"command"})),
    "exit-codes": Kind(exit_codes, frozenset()),
    "columns": Kind(columns_table, frozenset()),
}


def _results(block: Block, path: Path, sources: Sources) -> Results:
    """`matrix=` is a page in the reports' folder, `run=` a run's folder relative to the document."""
    matrix, run = block.options.get("matrix"), block.options.get("run")
    if (matrix is None) is (run is None):
        raise UsageError("give either matrix= (a page in reports/) or run= (a run's folder, from the document's own)")
    if run is not None:
        return sources.of(path.parent / run)
    assert matrix is not None
    if not matrix or "/" in matrix or matrix.startswith("."):
        raise UsageError(f"{matrix!r} is no page's name", hint="run= takes a path.")
    return sources.of(sources.reports / matrix / "run")


def _column(name: str) -> Column:
    if name not in COLUMNS:
        raise UsageError(f"there is no column {name!r}{_meant(name, COLUMNS)}", hint=_listed(COLUMNS))
    return COLUMNS[name]


def _subjects(results: Results, chosen: str | None) -> list[Subject]:
    """The cases in the matrix's order. Raises UsageError for a name or pattern that fits none."""
    found = [Subject(case.record.number, case.record.case, case, results) for case in measured(results)]
    found += [Subject(number, case, None, results) for number, case in results.not_run]
    found.sort(key=lambda subject: subject.number)
    if chosen is None:
        return found
    patterns = [pattern.strip() for pattern in chosen.split(",")]
    names = [subject.case.name for subject in found]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no case is called {pattern!r}{_meant(pattern, names)}", hint=_listed(names))
    return [subject for subject in found if any(fnmatchcase(subject.case.name, pattern) for pattern in patterns)]


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _listed(known: Iterable[str]) -> str:
    return f"There are: {', '.join(known)}."
