"""`ltxbench report`: the page again, from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LATEST = "latest"


def report(
    matrix: Annotated[str, typer.Argument(help="Name of the matrix, as in reports/NAME.")],
    run: Annotated[
        str | None,
        typer.Option(
            help=f"The run to show: its folder, or `{LATEST}` for the youngest of the matrix. [default: the page's own]"
        ),
    ] = None,
    called: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="The page's folder. [default: the matrix's name]")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what of the page is not what its stored run gives.")
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Put before the paths of videos, for hosts that don't serve them; empty for relative links. "
            "[default: as the page has it]",
        ),
    ] = None,
    reports: Annotated[Path, typer.Option(help="Where the pages are.")] = Path("reports"),
    runs: Annotated[Path, typer.Option(help="Where the runs are.")] = Path("runs"),
) -> None:
    """Write the page of a matrix again from stored results. Runs nothing; the same results give the same bytes.

    Exit codes: 0 fine, 2 usage, 5 the folder cannot be written, 10 the run cannot be read, 11 --check found the page
    stale.
    """
    from ltxbench.errors import ResultError, Stale, UsageError
    from ltxbench.report import write
    from ltxbench.report.format import plural
    from ltxbench.report.manifest import Options
    from ltxbench.run import store

    name = Path(matrix).stem if matrix.endswith((".yaml", ".yml")) else matrix
    destination = reports / _plain(name if called is None else called)
    if check:
        if run is not None or base_url is not None:
            raise UsageError("--check takes the page's own run and options", hint="Leave --run and --base-url out.")
        from ltxbench.report.stale import differences

        found = differences(destination)
        for difference in found:
            typer.echo(str(difference))
        if found:
            raise Stale(
                f"{destination}: stale in {plural(len(found), 'file')}",
                hint=f"`ltxbench report {destination.name}` writes them again.",
            )
        typer.echo(f"{destination}: as the stored results give it")
        return
    own = destination / "run"
    source = Path(run) if run is not None else own if own.exists() or called is None else reports / name / "run"
    if run == LATEST:
        latest = store.latest(runs, name)
        if latest is None:
            raise ResultError(f"there is no run of {name} in {runs}/", hint=f"`ltxbench bench {name}` makes one.")
        source = latest
    options = None if base_url is None else Options(base_url=_url(base_url))
    typer.echo(write(store.load(source), destination, options))


def _plain(name: str) -> str:
    """A folder's name: it may not lead out of the pages' folder. Raises UsageError."""
    from ltxbench.errors import UsageError

    if not name or name.startswith(".") or any(character in name for character in "/\\\0:"):
        raise UsageError(f"{name!r} cannot name a page's folder", hint="Give a plain name; --reports says where.")
    return name


def _url(text: str) -> str | None:
    """With a slash at its end; None for an empty one. Raises UsageError for what is no web address."""
    from urllib.parse import urlsplit

    from ltxbench.errors import UsageError

    if not text:
        return None
    parts = urlsplit(text)
    odd = any(character.isspace() or not character.isprintable() or character in "<>\"'" for character in text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment or odd:
        raise UsageError(
            f"{text!r} is no address that paths can be put after", hint="For example https://host/folder/."
        )
    return text if text.endswith("/") else text + "/"
