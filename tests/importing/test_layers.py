"""Reading and judging published figures needs no model."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["ltxbench.importing", "ltxbench.audit.run"])
def test_no_mlx_is_imported(module):
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] in ('mlx', 'mlx_lm') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
