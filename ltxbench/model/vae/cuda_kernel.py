"""Everything between two convolutions in one pass over memory, for MLX's CUDA backend.

Adding bias and residual, pixel norm, SiLU and padding are five kernels as plain operations, each of which reads and
writes the video; the padding's gather alone takes half as long as the convolution. Here a few lanes of a warp hold the
channels of one padded cell. `convolution.CausalConv3d` is the definition. Measured gain: docs/performance.md.
"""

from __future__ import annotations

from functools import cache

import mlx.core as mx

from ltxbench.model.cuda_kernels import DTYPES, WIDTH, available, kernel
from ltxbench.model.vae.normalization import EPS

THREADS = 256
WARP = 32

_SOURCE = """
  constexpr int PACKS = C / 8, LANES = PACKS < 32 ? PACKS : 32, EACH = PACKS / LANES;
  const int frames = layout[0], height = layout[1], width = layout[2], cells = layout[3];
  const int front = layout[4], back = layout[5], edge = layout[6];
  const int above = layout[7], below = layout[8], left = layout[9], right = layout[10];
  const bool adds = layout[11], biased = layout[12], keeps = layout[13], norms = layout[14];

  const int thread = blockIdx.x * blockDim.x + threadIdx.x, lane = thread % LANES;
  const bool writes = thread / LANES < cells;
  const int cell = writes ? thread / LANES : 0;  // all lanes take part in the sums
  int rest = cell;
  const int column = rest % (width + 2 * edge) - edge;
  rest /= width + 2 * edge;
  const int line = rest % (height + 2 * edge) - edge;
  rest /= height + 2 * edge;
  const int frame = rest % (frames + front + back) - front, sample = rest / (frames + front + back);
  const bool within =
      column >= 0 && column < width && line >= 0 && line < height && frame >= 0 && frame < frames;
  const int t = frame < 0 ? 0 : frame < frames ? frame : frames - 1;
  const int y = line < 0 ? above : line < height ? line : below;
  const int x = column < 0 ? left : column < width ? column : right;
  const size_t from = (((size_t(sample) * frames + t) * height + y) * width + x) * C, to = size_t(cell) * C;

  float a[EACH][8], squares = 0;
  #pragma unroll
  for (int each = 0; each < EACH; ++each) {
    const int channel = (each * LANES + lane) * 8;
    float b[8];
    load(product + from + channel, a[each]);
    if (biased) {
      load(bias + channel, b);
      for (int i = 0; i < 8; ++i) a[each][i] += b[i];
    }
    if (adds) {
      load(residual + from + channel, b);
      for (int i = 0; i < 8; ++i) a[each][i] += b[i];
    }
    for (int i = 0; i < 8; ++i) a[each][i] = static_cast<float>(static_cast<T>(a[each][i]));
    if (keeps && within && writes) store(a[each], total + from + channel);
    for (int i = 0; i < 8; ++i) squares += a[each][i] * a[each][i];
  }
  if (norms) {
    #pragma unroll
    for (int offset = LANES / 2; offset > 0; offset >>= 1) squares += __shfl_xor_sync(0xffffffffu, squares, offset);
    const float scaling = rsqrtf(squares / C + EPS);
    #pragma unroll
    for (int each = 0; each < EACH; ++each)
      for (int i = 0; i < 8; ++i) {
        const float normed = a[each][i] * scaling;
        a[each][i] = normed / (1 + __expf(-normed));
      }
  }
  #pragma unroll
  for (int each = 0; each < EACH; ++each)
    if (writes) store(a[each], padded + to + (each * LANES + lane) * 8);
"""


def fits(channels: int, dtype: mx.Dtype) -> bool:
    """Whether the channels of a cell divide evenly among the lanes of a warp or of a power of two of them."""
    packs, rest = divmod(channels, WIDTH)
    even = packs % WARP == 0 and packs <= 8 * WARP if packs >= WARP else packs > 0 and packs & (packs - 1) == 0
    return dtype in DTYPES and rest == 0 and even and available()


def add_norm_pad(
    product: mx.array,
    bias: mx.array | None,
    residual: mx.array | None,
    *,
    repeats: tuple[int, int],
    edges: tuple[tuple[int, int], tuple[int, int]] | None,
    norm: bool,
    keep: bool,
) -> tuple[mx.array | None, mx.array]:
    """product + bias + residual [B,F,H,W,C], None unless `keep`; and that, normed and activated if `norm`, padded.

    repeats  how often the first and the last frame are put before and after
    edges    the row above the first and below the last, then the columns; None: no padding in space
    """
    batch, frames, height, width, channels = product.shape
    edge = 0 if edges is None else 1
    padded = (batch, frames + sum(repeats), height + 2 * edge, width + 2 * edge)
    cells = padded[0] * padded[1] * padded[2] * padded[3]
    (above, below), (left, right) = edges or ((0, 0), (0, 0))
    sums = bias is not None or residual is not None
    flags = (residual is not None, bias is not None, keep and sums, norm)
    layout = _layout(frames, height, width, cells, *repeats, edge, above, below, left, right, *map(int, flags))
    lanes = min(WARP, channels // WIDTH)
    made = kernel("add_norm_pad", ("product", "bias", "residual", "layout"), ("padded", "total"), _SOURCE, EPS)(
        # Where there is nothing to add, the array is not read.
        inputs=[product, product if bias is None else bias, product if residual is None else residual, layout],
        template=[("T", product.dtype), ("C", channels)],
        output_shapes=[(*padded, channels), product.shape if keep and sums else (1,)],
        output_dtypes=[product.dtype, product.dtype],
        grid=(-(-cells * lanes // THREADS) * THREADS, 1, 1),
        threadgroup=(THREADS, 1, 1),
    )
    return (made[1] if keep and sums else product if keep else None), made[0]


@cache
def _layout(*numbers: int) -> mx.array:
    """As an input, not as constants of the template: every size would be compiled for seconds."""
    return mx.array(numbers, mx.int32)
