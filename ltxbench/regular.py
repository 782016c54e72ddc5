"""Reading files that may come from anybody: never through a link unless asked, never without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class Refused(OSError):
    """A file that is not read; in words without its name, which the caller puts before them."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))

    def __str__(self) -> str:
        return str(self.strerror)


class NotRegular(Refused):
    """A folder, a pipe, a socket or a device."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "not a regular file")


def open_regular(path: Path, *, follow: bool = False) -> BinaryIO:
    """For reading. Raises NotRegular, and OSError for a link that is not to be followed; a pipe is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(path)
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most_bytes: int, *, follow: bool = False) -> bytes:
    """All of it. Raises OSError, see open_regular, and Refused for a file of more than `most_bytes`."""
    with open_regular(path, follow=follow) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise Refused(path, f"more than {most_bytes:,} bytes")
    return data
