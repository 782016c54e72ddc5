"""Row kernels for MLX's CUDA backend: a norm and the elementwise work around it in one pass over memory.

MLX compiles elementwise operations into one kernel, but not across a norm. Here one thread block holds one row of the
residual stream in registers. The plain operations in `adaln` and `attention` are the definition; these agree with
them to rounding, and are used only where `fits` says so. Measured gain: docs/performance.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mlx.core as mx

WIDTH = 8
"""Elements a thread: 16 bytes of bfloat16, the widest access."""
MAX_THREADS = 1024
DTYPES = (mx.bfloat16, mx.float16)

_HEADER = """
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

_ROW = """
  const size_t row = blockIdx.x, at = row * D + threadIdx.x * 8;
  float a[8];
  load(x + at, a);
"""
_MODULATION = "  const T* of_sample = rows + (row / tokens[0]) * ROWS * D + threadIdx.x * 8;\n"
_ADD = """
  float b[8];
  load(update + at, b);
  for (int i = 0; i < 8; ++i) a[i] = static_cast<float>(static_cast<T>(a[i] + b[i]));
  store(a, sum + at);
"""
_ADD_GATED = """
  float b[8], gate[8];
  load(update + at, b);
  load(of_sample + GATE * D, gate);
  for (int i = 0; i < 8; ++i) a[i] = static_cast<float>(static_cast<T>(a[i] + gate[i] * b[i]));
  store(a, sum + at);
"""
_NORM = """
  const float scaling = inverse_rms(a, D, EPS);
  for (int i = 0; i < 8; ++i) a[i] *= scaling;
"""
_MODULATE = """
  float scale[8], shift[8];
  load(of_sample + SCALE * D, scale);
  load(of_sample + SHIFT * D, shift);
  for (int i = 0; i < 8; ++i) a[i] = a[i] * (1 + scale[i]) + shift[i];
"""
_WRITE = "  store(a, normed + at);\n"

_NORM_ROTATE = """
  extern __shared__ float turned[];
  const int column = threadIdx.x * 8, within = column % HEAD;
  const size_t row = blockIdx.x, from = row * ROW + column, at = row * D + column;
  const bool first = within < HEAD / 2;
  const int partner = first ? column + HEAD / 2 : column - HEAD / 2;
  const size_t table = (row % tokens[0]) * (D / 2) + (column / HEAD) * (HEAD / 2) + within % (HEAD / 2);
  float c[8], s[8], a[8], w[8];
  load(cosines + table, c);
  load(sines + table, s);
  #pragma unroll
  for (int which = 0; which < 2; ++which) {
    load((which ? k + K_AT : q) + from, a);
    load((which ? k_weight : q_weight) + column, w);
    const float scaling = inverse_rms(a, D, EPS);
    for (int i = 0; i < 8; ++i) {
      a[i] *= scaling * w[i];
      turned[column + i] = a[i];
    }
    __syncthreads();
    for (int i = 0; i < 8; ++i) {
      const float other = turned[partner + i];
      a[i] = a[i] * c[i] + (first ? -other : other) * s[i];
    }
    store(a, (which ? k_out : q_out) + at);
  }
"""


def available() -> bool:
    """Whether MLX computes on CUDA here."""
    return mx.default_device().type == mx.DeviceType.gpu and mx.cuda.is_available()


def fits(dim: int, dtype: mx.Dtype) -> bool:
    """Whether a row of `dim` elements is one thread block's."""
    return dtype in DTYPES and dim % (32 * WIDTH) == 0 and dim // WIDTH <= MAX_THREADS and available()


@cache
def kernel(
    name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: str, eps: float, shared_bytes: int = 0
) -> Any:
    return mx.fast.cuda_kernel(
        name=name,
        input_names=list(inputs),
        output_names=list(outputs),
        source=source,
        header=f"{_HEADER}\nconstexpr float EPS = {eps:.9g};\n",
        shared_memory=shared_bytes,
    )


@cache
def _number(value: int) -> mx.array:
    """As an input, not a template's constant: compiling takes seconds, and every size of video would need its own."""
    return mx.array([value], mx.uint32)


def residual_norm(
    x: mx.array,
    update: mx.array | None,
    rows: mx.array,
    gate: int | None,
    modulation: tuple[int, int] | None,
    eps: float,
) -> tuple[mx.array, mx.array]:
    """x + update [B, N, D], and the RMS norm of that; `gate` and `modulation` (scale, shift) number the rows.

    rows [B, 1, R, D], or [1, 1, R, D] for all samples.
    Defined by `adaln.Modulation`. Without an update the sum is x itself.
    """
    batch, tokens, dim = x.shape
    source, name, numbers = _ROW, "norm", dict[str, int]()
    if gate is not None or modulation is not None:
        source += _MODULATION
    if update is not None:
        source += _ADD if gate is None else _ADD_GATED
        name += "_add"
    if gate is not None:
        numbers["GATE"] = gate
        name += "_gated"
    source += _NORM
    if modulation is not None:
        numbers["SCALE"], numbers["SHIFT"] = modulation
        source += _MODULATE
        name += "_modulated"
    inputs = ("x", "rows", "tokens") if update is None else ("x", "update", "rows", "tokens")
    outputs = ("normed",) if update is None else ("normed", "sum")
    compiled = kernel(name, inputs, outputs, source + _WRITE, eps)
    made = compiled(
        inputs=[x, *([] if update is None else [update]), rows, _number(batch * tokens // rows.shape[0])],
        template=[("T", x.dtype), ("D", dim), ("ROWS", rows.shape[-2]), *numbers.items()],
        output_shapes=[x.shape] * len(outputs),
        output_dtypes=[x.dtype] * len(outputs),
        grid=(batch * tokens * (dim // WIDTH), 1, 1),
        threadgroup=(dim // WIDTH, 1, 1),
    )
    return (x, made[0]) if update is None else (made[1], made[0])


def norm_rotate(
    q: mx.array,
    k: mx.array | None,
    q_weight: mx.array,
    k_weight: mx.array,
    cos: mx.array,
    sin: mx.array,
    head_dim: int,
    eps: float,
) -> tuple[mx.array, mx.array]:
    """q and k [B, N, D], each RMS-normed with its weight over all heads, then turned by a split rotation.

    Where k is None, each row of q begins with its D elements and those of k. They are read where they are: MLX would
    copy a slice that has gaps.
    cos and sin [1, N, ...] float32 hold D/2 entries a token, head by head. Defined by `attention.Attention`.
    """
    batch, tokens, row = q.shape
    dim, k_at = (row, 0) if k is not None else (q_weight.size, q_weight.size)
    compiled = kernel(
        "norm_rotate",
        ("q", "k", "q_weight", "k_weight", "cosines", "sines", "tokens"),
        ("q_out", "k_out"),
        _NORM_ROTATE,
        eps,
        dim * 4,
    )
    q_out, k_out = compiled(
        inputs=[q, q if k is None else k, q_weight, k_weight, cos, sin, _number(tokens)],
        template=[("T", q.dtype), ("D", dim), ("HEAD", head_dim), ("ROW", row), ("K_AT", k_at)],
        output_shapes=[(batch, tokens, dim)] * 2,
        output_dtypes=[q.dtype, q.dtype],
        grid=(batch * tokens * (dim // WIDTH), 1, 1),
        threadgroup=(dim // WIDTH, 1, 1),
    )
    return q_out, k_out
