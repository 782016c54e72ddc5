"""The layers hold: what needs no MLX imports none, and the command line starts quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

PURE = (
    "ltxbench.audit.records",
    "ltxbench.audit.rules",
    "ltxbench.audit.run",
    "ltxbench.cli.app",
    "ltxbench.doctor.examine",
    "ltxbench.doctor.lookout",
    "ltxbench.errors",
    "ltxbench.importing.run",
    "ltxbench.matrix",
    "ltxbench.measure.blas",
    "ltxbench.measure.machine",
    "ltxbench.quality.compare",
    "ltxbench.quality.measure",
    "ltxbench.regression.check",
    "ltxbench.report",
    "ltxbench.report.page",
    "ltxbench.run.runner",
    "ltxbench.run.scripted",
    "ltxbench.run.store",
    "ltxbench.run.supervisor",
    "ltxbench.run.worker",
    "ltxbench.statistics.compare",
    "ltxbench.trust.comparison",
    "ltxbench.trust.simulation.scenarios",
    "ltxbench.trust.verdict",
    "ltxbench.weights.resolve",
    "ltxbench.weights.tiny",
)


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_imports_no_mlx(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] in ('mlx', 'mlx_lm') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("mlx", "mlx_lm", "pandas", "matplotlib", "scipy", "av", "huggingface_hub", "transformers")
    assert imported_by_help() & {*heavy, "jinja2", "numpy", "psutil", "pydantic", "rich", "yaml"} == set()


def test_every_command_shows_its_help_without_importing_what_it_runs() -> None:
    for command in (["bench"], ["report"], ["module"], ["matrix", "check"], ["models", "download"]):
        assert imported_by_help(*command) & {"mlx", "numpy", "rich", "yaml"} == set()


def imported_by_help(*command: str) -> set[str]:
    """Top-level modules that `ltxbench COMMAND --help` imports."""
    code = "import sys, ltxbench.cli.app as cli\ntry: cli.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    arguments = [sys.executable, "-c", code, *command, "--help"]
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert "Usage:" in result.stdout
    return {name.partition(".")[0] for name in result.stderr.split()}
