from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MATRIX = """
matrix: small
title: Small
prompt: "Ein Biber — 海狸 🦫"
cases:
  - {name: a, title: "Fälle"}
"""


def test_words_that_the_terminal_has_no_letters_for_are_written_as_numbers(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(MATRIX, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "ltxbench", "matrix", "show", str(file)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert rb"\u6d77" in result.stdout
