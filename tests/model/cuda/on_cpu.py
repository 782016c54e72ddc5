"""Runs the sources of CUDA kernels on a CPU, compiled by g++, so that they are tested where there is no GPU.

Stands in for `mx.fast.cuda_kernel`, for float32 and int32. Each CUDA thread is a coroutine; a barrier and a shuffle
let all others go first. Outputs begin as NaN, and every array lies between guards: what is left unwritten, or read or
written beside an array, is found.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

GUARD = 64
"""Elements before and after each array."""
TYPES = {np.dtype(np.float32): "float", np.dtype(np.int32): "int"}
INT_GUARD = -(2**31)
DYNAMIC = re.compile(r"extern __shared__ (\w+) (\w+)\[\];")
"""How a kernel names the shared memory whose size the launch says."""

_RUNTIME = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#include <ucontext.h>
#define __device__
#define __forceinline__ inline
#define __shared__ static
using std::size_t;

struct Index { int x; };
static Index threadIdx, blockIdx, blockDim;
alignas(16) static char dynamic[1 << 17];
static float exchanged[1024];
static ucontext_t scheduler, *running;

static void others_first() { swapcontext(running, &scheduler); }
static void __syncthreads() { others_first(); }
static float __shfl_xor_sync(unsigned, float value, int mask) {
  exchanged[threadIdx.x] = value;
  others_first();
  const float other = exchanged[threadIdx.x ^ mask];
  others_first();
  return other;
}
static float rsqrtf(float x) { return 1 / std::sqrt(x); }
#define __expf std::exp
static float __int_as_float(int bits) { float x; std::memcpy(&x, &bits, sizeof x); return x; }
"""
_LAUNCH = r"""
static std::vector<char> finished;
static void thread() {
  const int number = threadIdx.x;
  call();
  finished[number] = 1;
}

extern "C" void launch(void** given, int blocks, int threads) {
  arguments = given;
  blockDim.x = threads;
  constexpr size_t STACK = 1 << 14;
  std::vector<char> stacks(threads * STACK);
  std::vector<ucontext_t> contexts(threads);
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    finished.assign(threads, 0);
    for (int i = 0; i < threads; ++i) {
      getcontext(&contexts[i]);
      contexts[i].uc_stack.ss_sp = &stacks[i * STACK];
      contexts[i].uc_stack.ss_size = STACK;
      contexts[i].uc_link = &scheduler;
      makecontext(&contexts[i], thread, 0);
    }
    for (bool left = true; left;) {
      left = false;
      for (int i = 0; i < threads; ++i) {
        if (finished[i]) continue;
        threadIdx.x = i;
        running = &contexts[i];
        swapcontext(&scheduler, running);
        left = left || !finished[i];
      }
    }
  }
}
"""


class CpuKernel:
    """Called as what `mx.fast.cuda_kernel` returns, but computes at once."""

    def __init__(
        self,
        *,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str,
        shared_memory: int,
    ) -> None:
        assert name.isidentifier()
        assert shared_memory < 1 << 17
        self.input_names, self.output_names = input_names, output_names
        kept = [line for line in header.splitlines() if not line.startswith("#include")]
        self.header = "\n".join(kept)
        self.source = DYNAMIC.sub(r"\1* \2 = (\1*)dynamic;", source)

    def __call__(
        self,
        *,
        inputs: Sequence[mx.array],
        template: Sequence[tuple[str, Any]],
        output_shapes: Sequence[tuple[int, ...]],
        output_dtypes: Sequence[mx.Dtype],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
    ) -> list[mx.array]:
        assert set(output_dtypes) == {mx.float32}
        assert grid[1:] == threadgroup[1:] == (1, 1)
        given = [_guarded(np.array(array)) for array in inputs]
        made = [_guarded(np.full(shape, np.nan, np.float32)) for shape in output_shapes]
        launch = _compiled(self._program(template, [array.dtype for array in given]))
        pointers = (ctypes.c_void_p * len(given + made))(
            *(array.ctypes.data + GUARD * array.itemsize for array in given + made)
        )
        launch(pointers, -(-grid[0] // threadgroup[0]), threadgroup[0])
        for array in made:
            assert np.isnan(array[:GUARD]).all(), "written before an output"
            assert np.isnan(array[-GUARD:]).all(), "written behind an output"
        return [mx.array(array[GUARD:-GUARD].reshape(shape)) for array, shape in zip(made, output_shapes, strict=True)]

    def _program(self, template: Sequence[tuple[str, Any]], types: Sequence[np.dtype[Any]]) -> str:
        constants = [f"using {name} = float;" for name, value in template if value == mx.float32]
        assert len(constants) == len(template)
        declared = [f"const {TYPES[kind]}* {name}" for name, kind in zip(self.input_names, types, strict=True)]
        declared += [f"float* {name}" for name in self.output_names]
        casts = ", ".join(
            f"({parameter.rpartition(' ')[0]})arguments[{place}]" for place, parameter in enumerate(declared)
        )
        kernel = f"static void kernel({', '.join(declared)}) {{\n{''.join(constants)}\n{self.source}\n}}\n"
        call = f"static void** arguments;\nstatic void call() {{ kernel({casts}); }}\n"
        return _RUNTIME + self.header + kernel + call + _LAUNCH


def _guarded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    guard: float = np.nan if values.dtype == np.float32 else INT_GUARD
    return np.pad(values.reshape(-1), GUARD, constant_values=guard)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def _compiled(program: str) -> Any:
    base = Path(_folder().name) / hashlib.sha256(program.encode()).hexdigest()
    source, library = base.with_suffix(".cpp"), base.with_suffix(".so")
    source.write_text(program)
    flags = ["-std=c++17", "-O1", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused"]
    subprocess.run(["g++", *flags, "-shared", "-fPIC", source, "-o", library], check=True)
    return ctypes.CDLL(str(library)).launch
