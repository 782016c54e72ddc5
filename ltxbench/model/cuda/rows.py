"""Row kernels: a norm and the elementwise work around it in one pass over memory.

MLX compiles elementwise operations into one kernel, but not across a norm. Here one thread block holds one row of the
residual stream in registers. The plain operations in `adaln` and `attention` are the definition; these agree with
them to rounding, and are used only where `fits` says so. Measured gain: docs/performance.md.
"""

from __future__ import annotations

import mlx.core as mx

from ltxbench.model.cuda.kernel import DTYPES, MAX_THREADS, NONE, WARP, WIDTH, available, bits, kernel, numbers

_RESIDUAL_NORM = """
  const int dim = numbers[0], tokens = numbers[1], row_count = numbers[2];
  const int gate = numbers[3], scale = numbers[4], shift = numbers[5];
  const bool adds = numbers[6];
  const float eps = __int_as_float(numbers[7]);
  const size_t row = blockIdx.x, at = row * dim + threadIdx.x * 8;
  const T* of_sample = rows + (row / tokens) * row_count * dim + threadIdx.x * 8;
  float a[8], b[8], c[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  load(x + at, a);
  if (adds) {
    load(update + at, b);
    if (gate >= 0) load(of_sample + gate * dim, c);
    for (int i = 0; i < 8; ++i) a[i] = static_cast<float>(static_cast<T>(a[i] + c[i] * b[i]));
    store(a, sum + at);
  }
  const float scaling = inverse_rms(a, dim, eps);
  for (int i = 0; i < 8; ++i) a[i] *= scaling;
  if (scale >= 0) {
    load(of_sample + scale * dim, b);
    load(of_sample + shift * dim, c);
    for (int i = 0; i < 8; ++i) a[i] = a[i] * (1 + b[i]) + c[i];
  }
  store(a, normed + at);
"""

_NORM_ROTATE = """
  extern __shared__ float turned[];
  const int dim = numbers[0], head = numbers[1], tokens = numbers[2], pitch = numbers[3], k_at = numbers[4];
  const float eps = __int_as_float(numbers[5]);
  const int column = threadIdx.x * 8, within = column % head;
  const size_t row = blockIdx.x, from = row * pitch + column, at = row * dim + column;
  const bool first = within < head / 2;
  const int partner = first ? column + head / 2 : column - head / 2;
  const size_t table = (row % tokens) * (dim / 2) + (column / head) * (head / 2) + within % (head / 2);
  float c[8], s[8], a[8], w[8];
  load(cosines + table, c);
  load(sines + table, s);
  #pragma unroll
  for (int which = 0; which < 2; ++which) {
    load((which ? k + k_at : q) + from, a);
    load((which ? k_weight : q_weight) + column, w);
    const float scaling = inverse_rms(a, dim, eps);
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


def fits(dim: int, dtype: mx.Dtype) -> bool:
    """Whether a row of `dim` elements is one thread block's."""
    return dtype in DTYPES and dim % (WARP * WIDTH) == 0 and dim // WIDTH <= MAX_THREADS and available()


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
    chosen = (NONE if gate is None else gate, *(modulation or (NONE, NONE)))
    sizes = dim, batch * tokens // rows.shape[0], rows.shape[-2]
    inputs = "x", "update", "rows", "numbers"
    made = kernel("residual_norm", inputs, ("normed", "sum"), _RESIDUAL_NORM)(
        # Without an update the array in its place is not read.
        inputs=[x, x if update is None else update, rows, numbers(*sizes, *chosen, update is not None, bits(eps))],
        template=[("T", x.dtype)],
        output_shapes=[x.shape, (1,) if update is None else x.shape],
        output_dtypes=[x.dtype, x.dtype],
        grid=(batch * tokens * (dim // WIDTH), 1, 1),
        threadgroup=(dim // WIDTH, 1, 1),
    )
    return x if update is None else made[1], made[0]


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
    batch, tokens, pitch = q.shape
    dim, k_at = (pitch, 0) if k is not None else (q_weight.size, q_weight.size)
    inputs = "q", "k", "q_weight", "k_weight", "cosines", "sines", "numbers"
    sizes = numbers(dim, head_dim, tokens, pitch, k_at, bits(eps))
    q_out, k_out = kernel("norm_rotate", inputs, ("q_out", "k_out"), _NORM_ROTATE, dim * 4)(
        inputs=[q, q if k is None else k, q_weight, k_weight, cos, sin, sizes],
        template=[("T", q.dtype)],
        output_shapes=[(batch, tokens, dim)] * 2,
        output_dtypes=[q.dtype, q.dtype],
        grid=(batch * tokens * (dim // WIDTH), 1, 1),
        threadgroup=(dim // WIDTH, 1, 1),
    )
    return q_out, k_out
