"""Writing files that are either whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltxbench.errors import ResourceError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_GONE = (errno.EIO, errno.ENODEV, errno.ENOENT, errno.ESTALE, errno.EMFILE, errno.ENFILE)
"""A disk that fails or was unplugged, a folder that was removed meanwhile, a system without a file left to open."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder that becomes `path`, synced to the disk, when the block succeeds.

    Raises ResourceError when the disk is full or the folder cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with resource_errors(path):
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Raises ResourceError, see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: Path) -> None:
    """With its parents, each synced into the one above. Raises ResourceError when it cannot be made."""
    try:
        new = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for folder in new:
            sync(folder.parent)
    except OSError as error:
        raise as_resource_error(error, path) or _unwritable(error, path) from error


@contextmanager
def resource_errors(path: Path) -> Iterator[None]:
    """A full or failing disk, a folder that cannot be written, told as ResourceError; other errors pass unchanged."""
    try:
        yield
    except OSError as error:
        told = as_resource_error(error, path)
        if told is None:
            raise
        raise told from error


def as_resource_error(error: BaseException, path: Path) -> ResourceError | None:
    """None when `error` has another cause. FFmpeg's errors carry the same numbers."""
    if (full := disk_full(error, path)) is not None:
        return full
    number = getattr(error, "errno", None)
    if number in _FORBIDDEN or isinstance(error, FileExistsError | NotADirectoryError):
        return _unwritable(error, path, hint="Choose a folder that you may write to.")
    return _unwritable(error, Path(getattr(error, "filename", None) or path)) if number in _GONE else None


def _unwritable(error: BaseException, path: Path, hint: str | None = None) -> ResourceError:
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if number is not None else str(error)
    return ResourceError(f"{path}: cannot be written ({reason})", hint=hint)


def disk_full(error: BaseException, path: Path) -> ResourceError | None:
    """None when `error` has another cause."""
    number = getattr(error, "errno", None)
    if number not in _FULL:
        return None
    return ResourceError(
        f"{path}: cannot be written, the disk is full ({os.strerror(number)})",
        hint="Free some space, or write elsewhere: --runs, --reports, for the cache LTXBENCH_CACHE.",
    )


def sync(path: Path) -> None:
    """A file or a folder, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sync_descriptor(descriptor: int) -> None:
    # On macOS fsync leaves the data in the drive's own cache.
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
        fcntl.fcntl(descriptor, full_sync)
    else:
        os.fsync(descriptor)
