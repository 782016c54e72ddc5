"""Where readers get their text from: programs with a deadline, and the small files of /proc and /sys."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

TIMEOUT_S = 5.0
LARGEST_BYTES = 1 << 20  # of a file in /proc or /sys that is worth reading


def printed_by(*command: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """What a program prints, in the C locale; None when it is missing, fails, hangs or prints no text."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=True,
            env={**os.environ, "LC_ALL": "C", "LANG": "C"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def text_of(path: Path) -> str | None:
    """A small file's text, None when it cannot be read. Drivers answer a read with any errno they like."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def number_of(path: Path) -> int | None:
    """The one whole number in a file."""
    text = text_of(path)
    return None if text is None else whole_number(text)


def whole_number(text: str) -> int | None:
    """`text` as a whole number, None for everything else."""
    stripped = text.strip()
    return int(stripped) if re.fullmatch(r"[+-]?[0-9]{1,20}", stripped) else None


def folders_in(path: Path, pattern: str = "*") -> list[Path]:
    """Sorted; empty when there are none or they cannot be listed."""
    try:
        return sorted(path.glob(pattern))
    except OSError:
        return []
