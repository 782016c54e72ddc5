"""What all kernels share: how they read and write, and how they are compiled.

MLX compiles a kernel again in every process and for every set of template arguments, for two seconds or more. So only
the type of the elements is a template argument; sizes and choices are numbers that the kernel reads.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import mlx.core as mx

WIDTH = 8
"""Elements a thread: 16 bytes of bfloat16, the widest access."""
WARP = 32
MAX_THREADS = 1024
"""Of one thread block."""
DTYPES = (mx.bfloat16, mx.float16)
NONE = -1
"""Stands for a number that is not given."""

HEADER = """
#include <cuda_bf16.h>
#include <cuda_fp16.h>

template <typename T> struct alignas(sizeof(T) * 8) Pack { T v[8]; };

template <typename T> __device__ __forceinline__ void load(const T* from, float (&to)[8]) {
  const Pack<T> pack = *reinterpret_cast<const Pack<T>*>(from);
  #pragma unroll
  for (int i = 0; i < 8; ++i) to[i] = static_cast<float>(pack.v[i]);
}

template <typename T> __device__ __forceinline__ void store(const float (&from)[8], T* to) {
  Pack<T> pack;
  #pragma unroll
  for (int i = 0; i < 8; ++i) pack.v[i] = static_cast<T>(from[i]);
  *reinterpret_cast<Pack<T>*>(to) = pack;
}

__device__ __forceinline__ float row_sum(float value) {
  __shared__ float parts[32];
  #pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(0xffffffffu, value, offset);
  __syncthreads();  // the previous sum has been read by all
  if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = value;
  __syncthreads();
  float total = 0;
  for (int i = 0; i < (blockDim.x >> 5); ++i) total += parts[i];
  return total;
}

__device__ __forceinline__ float inverse_rms(const float (&x)[8], int dim, float eps) {
  float squares = 0;
  #pragma unroll
  for (int i = 0; i < 8; ++i) squares += x[i] * x[i];
  return rsqrtf(row_sum(squares) / dim + eps);
}
"""


def available() -> bool:
    """Whether MLX computes on CUDA here."""
    return mx.default_device().type == mx.DeviceType.gpu and mx.cuda.is_available()


@cache
def kernel(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: str, shared_bytes: int = 0) -> Any:
    """`mx.fast.cuda_kernel`, made once; compiled when it is first used."""
    return mx.fast.cuda_kernel(
        name=name,
        input_names=list(inputs),
        output_names=list(outputs),
        source=source,
        header=HEADER,
        shared_memory=shared_bytes,
    )


@cache
def numbers(*values: int) -> mx.array:
    """An input of int32."""
    return mx.array(values, mx.int32)


def bits(value: float) -> int:
    """A float32 among `numbers`; the kernel reads it by `__int_as_float`."""
    (number,) = struct.unpack("<i", struct.pack("<f", value))
    return int(number)
