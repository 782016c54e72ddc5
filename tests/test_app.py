from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ltxbench.__main__ import main

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


def show(file: Path, **streams: object) -> subprocess.CompletedProcess[bytes]:
    """`matrix show`, whose output fills more than a pipe's buffer."""
    file.write_text(MATRIX.replace("Small", "S" * 200) + f"sections: [{{title: Long, body: '{'word ' * 19_000}'}}]\n")
    return subprocess.run([sys.executable, "-m", "ltxbench", "matrix", "show", str(file)], check=False, **streams)


def test_a_reader_that_had_enough_is_nobodys_mistake(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = show(tmp_path / "small.yaml", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_output_that_a_full_disk_did_not_take_is_told_once(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        result = show(tmp_path / "small.yaml", stdout=full, stderr=subprocess.PIPE)
        assert result.returncode == 5
        assert result.stderr.startswith(b"ltxbench: standard output: cannot be written, the disk is full")
        wrong = subprocess.run(
            [sys.executable, "-m", "ltxbench", "matrix", "show", "nowhere.yaml"], stdout=full, stderr=full, check=False
        )
    assert wrong.returncode == 2


def test_ctrl_c_before_the_command_line_is_imported_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "ltxbench.cli", Interrupted("ltxbench.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
