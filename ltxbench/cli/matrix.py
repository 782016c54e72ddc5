"""`ltxbench matrix check` and `ltxbench matrix show`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ltxbench.matrix import Matrix

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="MATRIX", help="A name in matrices/, or the path of a YAML file.")]


@app.command()
def check(name: Name) -> None:
    """Check a matrix file and list its cases. Exits with 3 where something in it is wrong."""
    from ltxbench.matrix import find, load

    matrix = load(find(name))
    _print_table(matrix)
    for warning in matrix.warnings:
        print(f"warning: {warning}", file=sys.stderr)


@app.command()
def show(
    name: Name,
    json: Annotated[bool, typer.Option("--json", help="The resolved matrix as JSON, every default filled in.")] = False,
) -> None:
    """Show a matrix as it will run: its prompt, what all cases share, and where they differ."""
    from ltxbench.matrix import find, load
    from ltxbench.matrix.case import PRESENTATION
    from ltxbench.report.escape import visible

    matrix = load(find(name))
    if json:
        print(matrix.model_dump_json(indent=2))
        return
    shared = matrix.shared
    print(f"{visible(matrix.title)} ({matrix.source})\n")
    print(f"prompt     {visible(matrix.prompt)}")
    if matrix.enhance:
        print(f"enhanced   {visible(matrix.enhanced or '') or 'once, before the first case'}")
    print(f"negative   {visible(matrix.negative_prompt) or 'none'}")
    print(f"all cases  {_settings(shared)}\n")
    for case in matrix.cases:
        own = {field: getattr(case, field) for field in type(case).model_fields if field not in PRESENTATION}
        print(f"{case.name}\n  {_settings({field: own[field] for field in own if field not in shared})}")


def _settings(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {_shown(value)}" for key, value in values.items()) or "nothing differs"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    from ltxbench.report.escape import visible

    return visible(str(value))


def _print_table(matrix: Matrix) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ltxbench.report.escape import visible

    console = Console()
    table = Table(
        box=box.SIMPLE_HEAD, title=Text(f"{visible(matrix.title)}: {len(matrix.cases)} cases"), title_justify="left"
    )
    for heading in ("#", "Case", "Model", "Steps", "CFG", "Resolution", "Frames"):
        numeric = heading in ("#", "Steps", "CFG", "Frames")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=heading in ("#", "Case"))
    for number, case in enumerate(matrix.cases, start=1):
        table.add_row(
            str(number),
            case.name,
            case.model_label,
            case.steps_label,
            str(case.guidance),
            case.resolution_label,
            str(case.frames),
        )
    console.print(table)
