from __future__ import annotations

import sys

import pytest

from ltxbench.sensors.texts import number_of, printed_by, text_of, whole_number


def test_a_program_that_is_missing_fails_or_hangs_says_nothing():
    assert printed_by("ltxbench-no-such-program") is None
    assert printed_by(sys.executable, "-c", "print('half'); raise SystemExit(3)") is None
    assert printed_by(sys.executable, "-c", "import time; time.sleep(60)", timeout_s=0.2) is None


def test_programs_speak_the_c_locale_and_may_print_any_bytes(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    code = r"import os, sys; sys.stdout.buffer.write(os.environ['LC_ALL'].encode() + b' \xff')"
    assert printed_by(sys.executable, "-c", code) == "C \ufffd"


def test_files_that_cannot_be_read_say_nothing(tmp_path):
    assert text_of(tmp_path) is None
    assert text_of(tmp_path / "missing") is None
    (tmp_path / "temp").write_text("42000\n")
    assert number_of(tmp_path / "temp") == 42000


@pytest.mark.parametrize("text", ["", "4 2", "0x10", "1e3", "٣", "max", "1" * 40])
def test_only_plain_digits_are_a_number(text):
    assert whole_number(text) is None
