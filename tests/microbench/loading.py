"""What loading costs beside reading: python -m tests.microbench.loading [--blocks 16] [--rounds 3]

Writes the random 19B's distilled checkpoint, cut to some blocks, and interleaves, from a warm page cache and from a
cold one where the system lets go of a file's pages:

    read    the file into memory, by NumPy
    load    its transformer, as a case does, ready on the device
    qint8   the same, quantized to 8 bits part by part
    int4    the same, to 4 bits

Rates are of the bytes that each reads; the shares are medians over the rounds of each round's own.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import mmap
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import mlx.core as mx
import numpy as np

from ltxbench.matrix.case import Case, Quantization
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.transformer import PREFIX, is_not_video
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.mlx_loading import load_transformer
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.random.sizes import Sizes, sizes_of
from ltxbench.weights.random.writing import planned, write_file
from ltxbench.weights.source import FileSource
from tests.silent import SilentRecorder

SEED = 0


@dataclass(frozen=True)
class Sample:
    seconds: float
    bytes: int

    @property
    def rate(self) -> float:
        return self.bytes / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="19b")
    parser.add_argument("--blocks", type=int, help="transformer blocks [default: all]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the file goes, on the disk that is meant")
    given = parser.parse_args()
    sizes = sizes_of(given.size)
    sizes = replace(sizes, blocks=given.blocks or sizes.blocks)
    engine = MlxEngine()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = write(Path(folder), sizes)
        measure(path, engine.dtype, given.rounds)


def write(folder: Path, sizes: Sizes) -> Path:
    file = planned(folder, "distilled", sizes)
    start_s = time.perf_counter()
    write_file(file, SEED)
    duration_s = time.perf_counter() - start_s
    print(f"{file.size_bytes / 1e9:.2f} GB written in {duration_s:.1f} s, {sizes.blocks} blocks\n", flush=True)
    return file.path


def measure(path: Path, dtype: mx.Dtype, rounds: int) -> None:
    arms: dict[str, Callable[[], Sample]] = {"read": partial(read, path)}
    for name, quantization in (("load", "bf16"), ("qint8", "qint8"), ("int4", "int4")):
        arms[name] = partial(load, path, Quantization(quantization), dtype)
    read(path)
    print("Warm page cache\n\n" + table(interleaved(arms, rounds, before=lambda: None)), flush=True)
    drop_pages(path)
    share = resident(path)
    if share > 0.01:
        print(f"\nCold: not measured, {share:.0%} of the file stay in memory here")
        return
    print("\nCold page cache\n\n" + table(interleaved(arms, rounds, before=partial(drop_pages, path))))


def interleaved(
    arms: dict[str, Callable[[], Sample]], rounds: int, before: Callable[[], None]
) -> dict[str, list[Sample]]:
    """A round at a time; the first one compiles kernels and does not count."""
    taken: dict[str, list[Sample]] = {name: [] for name in arms}
    for number in range(rounds + 1):
        for name, arm in arms.items():
            before()
            sample = arm()
            if number:
                taken[name].append(sample)
    return taken


def read(path: Path) -> Sample:
    start_s = time.perf_counter()
    content = np.fromfile(path, np.uint8)
    return Sample(time.perf_counter() - start_s, content.nbytes)


def load(path: Path, quantization: Quantization, dtype: mx.Dtype) -> Sample:
    case = Case(name="loading", title="Loading", quantization=quantization)
    nothing = dict.fromkeys(("dev", "distilled_lora", "upscaler", "gemma"))
    source = FileSource(WeightFiles(kind="file", synthetic=True, distilled=path, **nothing))
    mx.synchronize()
    start_s = time.perf_counter()
    checkpoint = Checkpoint(path)
    transformer = load_transformer(case, source, checkpoint, SilentRecorder(), dtype)
    mx.synchronize()
    seconds = time.perf_counter() - start_s
    del transformer
    mx.clear_cache()
    return Sample(seconds, transformer_bytes(checkpoint))


def transformer_bytes(checkpoint: Checkpoint) -> int:
    """Of the tensors that are read; the file holds bfloat16 throughout."""
    shapes = checkpoint.shapes_under(PREFIX)
    return sum(2 * math.prod(shape) for name, shape in shapes.items() if not is_not_video(name))


def drop_pages(path: Path) -> None:
    """The system may keep them all the same: see `resident`. macOS has no such call."""
    if not hasattr(os, "posix_fadvise"):
        return
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def resident(path: Path) -> float:
    """The share of the file's pages that are in memory."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as mapped,
    ):
        pages = -(-len(mapped) // mmap.PAGESIZE)
        marks = (ctypes.c_ubyte * pages)()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(mapped)), marks) != 0:
            return 1.0
        return sum(mark & 1 for mark in marks) / pages


def table(taken: dict[str, list[Sample]]) -> str:
    lines = [
        "| Arm | GB read | Time, median | GB/s | share of reading | time against load |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, samples in taken.items():
        seconds, rate = median(s.seconds for s in samples), median(s.rate for s in samples)
        share = median(s.rate / r.rate for s, r in zip(samples, taken["read"], strict=True))
        against = median(s.seconds / r.seconds for s, r in zip(samples, taken["load"], strict=True))
        lines.append(
            f"| {name} | {samples[0].bytes / 1e9:.2f} | {seconds:.2f} s | {rate / 1e9:.2f} | {share:.2f} | "
            f"{'' if name == 'read' else f'{against:.2f}'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
