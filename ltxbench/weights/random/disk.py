"""Random weights as files, for measuring what loading costs. Written once, by a process of their own.

The process that supervises a run imports no MLX, which would hold memory of the device that is to be measured.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from ltxbench.errors import ResourceError
from ltxbench.weights import files
from ltxbench.weights.cache import locked
from ltxbench.weights.files import RandomWeights, WeightFiles
from ltxbench.weights.random.sizes import DEFAULT, VERSION

NAMES = {
    "distilled": files.DISTILLED,
    "dev": files.DEV,
    "distilled-lora": files.DISTILLED_LORA,
    "upscaler": files.UPSCALER,
    "gemma": files.GEMMA_4BIT,
}
"""Name in the registry to file, or to Gemma's folder."""
LOOK_S = 0.5

Watch = Callable[[int, int], None]
"""Told, while files are written, how many bytes of how many are."""


def ensure_files(weights: RandomWeights, names: Iterable[str], cache: Path, watch: Watch | None = None) -> WeightFiles:
    """The files of the named models under `cache`, written first where they are absent or torn.

    Safe when several processes ask at once: one writes, the others wait. Raises ResourceError when the disk is too
    small, with the bytes needed and those there, before anything is written.
    """
    folder = cache / f"random-v{VERSION}-{weights.size}-{weights.seed}"
    wanted = list(names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(cache / f"{folder.name}.lock"):
            _write(folder, weights, wanted, watch)
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise ResourceError(
            f"{folder}: the random weights cannot be written there ({why})",
            hint="Set LTXBENCH_CACHE to a folder with enough space.",
        ) from None
    places = {name: folder / NAMES[name] if name in wanted else None for name in NAMES}
    return WeightFiles(
        kind=f"{kind_of(weights)}{files.FROM_DISK}",
        synthetic=True,
        distilled=places["distilled"],
        dev=places["dev"],
        distilled_lora=places["distilled-lora"],
        upscaler=places["upscaler"],
        gemma=places["gemma"],
    )


def _missing_bytes(folder: Path, weights: RandomWeights, names: list[str]) -> int:
    from ltxbench.weights.random.writing import missing

    return sum(each.file.size_bytes for each in missing(folder, weights, names))


def _write_missing(folder: Path, weights: RandomWeights, names: list[str]) -> None:
    from ltxbench.weights.random.writing import write_missing

    write_missing(folder, weights, names)


def _end_with_the_parent() -> None:
    """A parent that was killed cannot end its process, which would go on writing for nobody."""

    def wait() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    Thread(target=wait, name="lifeline", daemon=True).start()


def kind_of(weights: RandomWeights) -> str:
    """How a run's record calls them: the 19B is plainly random."""
    return files.RANDOM if weights.size == DEFAULT else f"{files.RANDOM}:{weights.size}"


def _write(folder: Path, weights: RandomWeights, names: list[str], watch: Watch | None) -> None:
    context = get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_end_with_the_parent) as process:
        try:
            total_bytes = process.submit(_missing_bytes, folder, weights, names).result()
            before_bytes = _size(folder)
            writing = process.submit(_write_missing, folder, weights, names)
            while True:
                try:
                    return writing.result(timeout=LOOK_S)
                except TimeoutError:
                    if writing.done():
                        raise
                    if watch is not None and total_bytes:
                        watch(max(0, min(_size(folder) - before_bytes, total_bytes)), total_bytes)
        except BrokenProcessPool:
            raise ResourceError(
                f"{folder}: the process that wrote the random weights was killed",
                hint="Often the system, out of memory. The same command goes on with the file that it was at.",
            ) from None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
