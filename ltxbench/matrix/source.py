"""The bytes of a matrix file become text, or a message that says which byte is in the way."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ltxbench.errors import MatrixError, UsageError
from ltxbench.matrix.problems import quoted
from ltxbench.regular import NotRegular, open_regular

MAX_BYTES = 1 << 20

# YAML 1.1 parsers take U+0085, U+2028 and U+2029 for line ends, YAML 1.2 does not: nobody's editor agrees on the line.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LINE_END = re.compile("\r\n|\r|\n")
_NOT_A_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",  # before UTF-16, whose mark begins alike
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_NAMES = {"\x00": "NUL", "\x1b": "ESCAPE", "\x7f": "DELETE", "\x85": "NEXT LINE"}


@dataclass(frozen=True)
class Source:
    path: Path
    text: str
    sha256: str


def read_source(path: Path) -> Source:
    """Reads at most 1 MiB of UTF-8 from a regular file; links are followed, pipes and devices are not waited for.

    Raises UsageError where there is no such file or its name cannot be stored, MatrixError for what is in it.
    """
    name = str(path)
    if _NOT_A_NAME.search(name):
        raise UsageError(
            f"{quoted(name)}: a matrix file's path must be valid Unicode without control characters",
            hint="The path is stored with the run and shown on the page: rename the file.",
        )
    try:
        with open_regular(path, follow=True) as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path}: there is no such matrix file") from error
    except NotRegular:
        what = "what is there is a folder, a pipe or a device"
        raise UsageError(f"{path}: there is no such matrix file; {what}") from None
    except OSError as error:
        raise UsageError(f"{path}: the matrix file cannot be read: {error.strerror or error}") from error
    return Source(path, decode(data, path), sha256(data).hexdigest())


def decode(data: bytes, path: Path) -> str:
    """Raises MatrixError with the place of the first byte that is in the way."""
    if len(data) > MAX_BYTES:
        line, column = _position(data[:MAX_BYTES].decode("utf-8", "replace"))
        raise MatrixError(
            f"a matrix file has at most {MAX_BYTES:,} bytes, and this one has more",
            path=path,
            line=line,
            column=column,
            hint="A product of settings is shorter as a `sweep`.",
        )
    for bom, encoding in _OTHER_ENCODINGS.items():
        if data.startswith(bom):
            raise MatrixError(
                f"the file is {encoding}, not UTF-8", path=path, line=1, column=1, hint="Save it as UTF-8."
            )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = _position(before)
        raise MatrixError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            path=path,
            line=line,
            column=column,
            hint="Save it as UTF-8.",
        ) from error
    unwanted = _UNWANTED.search(text)
    if unwanted:
        line, column = _position(text[: unwanted.start()])
        character = unwanted.group()
        name = unicodedata.name(character, _NAMES.get(character, "control character"))
        raise MatrixError(
            f"U+{ord(character):04X} ({name}) is not allowed in a matrix file", path=path, line=line, column=column
        )
    return text


def _position(before: str) -> tuple[int, int]:
    lines = _LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1
