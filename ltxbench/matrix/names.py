"""Names that are safe file names on macOS, Linux and Windows, and safe words in a shell and a URL."""

from __future__ import annotations

import re

MAX_LENGTH = 64

_ALLOWED = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}
RULE = (
    f"a name has 1 to {MAX_LENGTH} ASCII letters, digits, dots, underscores and hyphens, "
    "and starts with a letter or digit"
)


def objection(name: str) -> str | None:
    """Why this cannot be a name, or None."""
    if not name:
        return f"it is empty; {RULE}"
    if len(name) > MAX_LENGTH:
        return f"it has {len(name):,} characters; {RULE}"
    if not _ALLOWED.fullmatch(name):
        return f"it holds a character that is not safe in a file name; {RULE}"
    if not name[0].isalnum():
        return f"it starts with {name[0]!r}; {RULE}"
    if name.endswith("."):
        return "it ends with a dot, which Windows drops"
    if name.split(".")[0].casefold() in _RESERVED:
        return f"it is reserved on Windows ({name.split('.')[0].upper()})"
    return None
