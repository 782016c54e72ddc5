"""The layers hold: what needs no MLX imports none, and the command line starts quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

PURE = (
    "ltxbench.cli.app",
    "ltxbench.errors",
    "ltxbench.matrix",
    "ltxbench.measure.blas",
    "ltxbench.measure.machine",
    "ltxbench.report",
    "ltxbench.report.page",
    "ltxbench.run.runner",
    "ltxbench.run.scripted",
    "ltxbench.run.store",
    "ltxbench.run.supervisor",
    "ltxbench.run.worker",
    "ltxbench.weights.resolve",
    "ltxbench.weights.tiny",
)


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_imports_no_mlx(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] in ('mlx', 'mlx_lm') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("mlx", "mlx_lm", "pandas", "matplotlib", "scipy", "av", "huggingface_hub", "transformers")
    code = f"import sys, ltxbench.cli.app; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
