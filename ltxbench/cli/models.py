"""`ltxbench models`: what weights there are, fetching and checking them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ltxbench.weights.registry import Repository
    from ltxbench.weights.verify import Count, Verified

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_models(
    matrix: Annotated[
        str | None, typer.Argument(help="Name or file of a matrix: show only what its cases need.")
    ] = None,
) -> None:
    """Show every model: where it comes from, its size and licence, and whether it is here."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ltxbench.weights import hub_cache
    from ltxbench.weights.registry import registry

    cases: dict[str, list[str]] = {}
    names = list(registry().models)
    if matrix is not None:
        cases = _needing(matrix)
        names = [name for name in names if name in cases]
    table = Table("model", "size", "here", "what it is")
    table.columns[1].justify = "right"
    for name in names:
        model, repository = registry().models[name], registry().repository(name)
        size = f"{model.size_bytes / 1e9:.3f} GB" if model.size_bytes else f"~{model.about_bytes / 1e9:.1f} GB"
        lines = [model.what, f"{model.repository}{f', {model.file}' if model.file else ''}"]
        lines.append(repository.licence + (", gated: accept it on the hub first" if repository.gated else ""))
        if cases:
            lines.append(f"needed by {', '.join(cases[name])}")
        here = "yes" if hub_cache.find(name) else "no"
        table.add_row(name, size, here, Text("\n".join(lines)), end_section=True)
    Console().print(table)
    print(
        "`ltxbench models download NAME ...` fetches; gemma-4bit can stand in for gemma. The weights `tiny` need none."
    )


def _needing(matrix: str) -> dict[str, list[str]]:
    """Model to the names of the cases that read it."""
    from ltxbench.matrix import find, load
    from ltxbench.weights.registry import needed

    cases: dict[str, list[str]] = {}
    for case in load(find(matrix)).cases:
        for name in needed([case]):
            cases.setdefault(name, []).append(case.name)
    return cases


@app.command()
def download(
    names: Annotated[list[str] | None, typer.Argument(help="Models, see `ltxbench models list`.")] = None,
    matrix: Annotated[str | None, typer.Option(help="What the cases of this matrix need.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licences without being asked.")] = False,
) -> None:
    """Fetch published weights into the Hugging Face cache, resumed where torn, checked by sha256.

    A repository's licence is shown before its first download. Exit codes: 2 usage or a licence not accepted, 4 the
    hub or a damaged file, 5 too little disk.
    """
    from ltxbench.errors import UsageError
    from ltxbench.weights.download import download as fetch
    from ltxbench.weights.registry import registry

    wanted = list(names or [])
    if matrix is not None:
        needed = _needing(matrix)
        wanted += [name for name in registry().models if name in needed]
    if not wanted:
        raise UsageError("no model named", hint=f"Models: {', '.join(registry().models)}; or --matrix NAME.")

    def confirm(repository: str, entry: Repository) -> bool:
        print(f"{repository} is licensed under: {entry.licence}\n  {entry.licence_url}", file=sys.stderr)
        if yes:
            return True
        if not sys.stdin.isatty():
            print("  --yes accepts it where nobody can be asked.", file=sys.stderr)
            return False
        return typer.confirm("  Do you accept it?", default=False, err=True)

    for name, place in fetch(wanted, confirm, lambda line: print(line, file=sys.stderr)).items():
        print(f"{name}: {place}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A safetensors file of LTX-2, or a Gemma folder.")],
    checksum: Annotated[bool, typer.Option(help="Read the whole file: its sha256, and NaN in its tensors.")] = True,
    accept: Annotated[
        bool, typer.Option("--accept", help="The file was replaced on purpose: its sha256 is the one to expect now.")
    ] = False,
) -> None:
    """Check a weights file as strictly as the loader does, and print what it holds.

    Header, every key and shape, types, version, NaN and infinity, and sha256: against the published one, the hub's, and
    that of the first time the file was used. Exit code 4 with the first problem's name otherwise.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from ltxbench.errors import UsageError, WeightsError
    from ltxbench.weights.verify import verify as look

    if accept and not checksum:
        raise UsageError("--accept needs the file's sha256", hint="Leave out --no-checksum.")
    if not path.exists():
        raise WeightsError(f"{path}: no such file or folder", hint="`ltxbench models list` shows what is known.")
    parts = [*path.glob("*.safetensors"), *path.glob("*.json")] if path.is_dir() else [path]
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not checksum) as progress:
        task = progress.add_task("reading", total=sum(part.stat().st_size for part in parts))
        verified = look(path, checksum=checksum, accept=accept, progress=lambda count: progress.advance(task, count))
    _show(verified)


def _show(verified: Verified) -> None:
    from rich.console import Console
    from rich.table import Table

    from ltxbench.model.layout import Group, Kind

    console = Console()
    version = f", LTX-{verified.version}" if verified.version else ""
    console.print(f"{verified.path}: {verified.kind}{version}", markup=False, highlight=False, soft_wrap=True)
    order = [group.value for group in Group] if verified.kind == Kind.UNIFIED else []
    groups = {name: verified.groups.get(name) for name in [*order, *verified.groups]}
    table = Table("part", "tensors", "parameters")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, count in groups.items():
        table.add_row(name, *_cells(count))
    table.add_section()
    table.add_row("all", *_cells(_total(verified)))
    table.add_section()
    for name, count in sorted(verified.dtypes.items()):
        table.add_row(name, *_cells(count))
    console.print(table)
    print(f"size    {verified.size_bytes:,} bytes")
    for name, digest in verified.sha256.items():
        known = "as published" if verified.expected_sha256 else "no published sum to compare with"
        print(f"sha256  {digest}  {name} ({known})")


def _cells(count: Count | None) -> tuple[str, str]:
    return (f"{count.tensors:,}", f"{count.elements:,}") if count else ("0", "0")


def _total(verified: Verified) -> Count:
    from ltxbench.weights.verify import Count

    counts = verified.groups.values()
    return Count(sum(count.tensors for count in counts), sum(count.elements for count in counts))
