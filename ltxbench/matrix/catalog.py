"""The folder of matrices, and finding one by its name."""

from __future__ import annotations

from pathlib import Path

from ltxbench.errors import UsageError
from ltxbench.matrix.problems import did_you_mean, quoted

FOLDER = Path("matrices")
_PACKAGE = Path(__file__).parents[1]
SHIPPED = next((path for path in (_PACKAGE / FOLDER, _PACKAGE.parent / FOLDER) if path.is_dir()), _PACKAGE / FOLDER)
"""The matrices that come with ltxbench: in an installed package, or beside it where it runs from its repository."""
SUFFIXES = (".yaml", ".yml")


def available(folder: Path = FOLDER) -> list[str]:
    """The names that `find` knows in a folder."""
    try:
        return sorted({path.stem for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file()})
    except OSError:  # no such folder, or one that may not be read
        return []


def find(name_or_path: str, folder: Path = FOLDER) -> Path:
    """`beaver-dam` is matrices/beaver-dam.yaml; what looks like a path is one.

    Raises UsageError where there is none, with the nearest name and all others.
    """
    path = Path(name_or_path)
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        if _is_file(path):
            return path
        raise UsageError(f"there is no matrix file {quoted(name_or_path)}", hint=_known(folder))
    for suffix in SUFFIXES:
        candidate = folder / f"{name_or_path}{suffix}"
        if name_or_path and _is_file(candidate):
            return candidate
    near = did_you_mean(name_or_path, available(folder))
    raise UsageError(f"there is no matrix {quoted(name_or_path)} in {folder}/{near}", hint=_known(folder))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


def _known(folder: Path) -> str:
    names = available(folder)
    return f"Matrices in {folder}/: {', '.join(names)}." if names else f"There are no matrices in {folder}/."
