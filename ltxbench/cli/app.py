"""The command `ltxbench`: one module a command, imported only when it is the one that runs."""

from __future__ import annotations

import signal
import sys

import typer

from ltxbench.cli.audit import audit
from ltxbench.cli.baseline import app as baseline_app
from ltxbench.cli.bench import bench
from ltxbench.cli.check import check
from ltxbench.cli.compare import compare
from ltxbench.cli.docs import docs
from ltxbench.cli.doctor import doctor
from ltxbench.cli.export import export
from ltxbench.cli.history import history
from ltxbench.cli.importing import app as importing_app
from ltxbench.cli.matrix import app as matrix_app
from ltxbench.cli.models import app as models_app
from ltxbench.cli.module import module
from ltxbench.cli.quality import quality
from ltxbench.cli.report import report
from ltxbench.cli.simulate import simulate
from ltxbench.cli.streams import Lasting, make_lasting, refuse_lost
from ltxbench.errors import INTERRUPTED, LtxbenchError

app = typer.Typer(
    name="ltxbench",
    help="Benchmark LTX-2 text-to-video generation on MLX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing what draws boxes takes as long as all else together
)
app.command()(bench)
app.command()(report)
app.command()(export)
app.command()(docs)
app.command()(audit)
app.command()(compare)
app.add_typer(baseline_app, name="baseline", help="Keep runs that later ones are compared with.")
app.command()(check)
app.command()(history)
app.command()(quality)
app.command()(simulate)
app.add_typer(matrix_app, name="matrix", help="Check and show matrix files.")
app.add_typer(importing_app, name="import", help="Read figures that were measured elsewhere.")
app.add_typer(models_app, name="models", help="List, download and verify weights.")
app.command()(module)
app.command()(doctor)


def main() -> None:
    """Runs the command; a user's mistake ends with one message and its own exit code."""
    printed = make_lasting()
    try:
        _run(printed)
    except LtxbenchError as error:
        from ltxbench.report.escape import visible

        print(f"ltxbench: {visible(error.message)}", file=sys.stderr)
        if error.hint:
            print(f"  {visible(error.hint)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # or one more would end the interpreter's end in a traceback
        sys.exit(INTERRUPTED)


def _run(printed: Lasting | None) -> None:
    try:
        app()
    except SystemExit as ended:
        if not ended.code:
            refuse_lost(printed)
        raise
