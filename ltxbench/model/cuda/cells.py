"""Everything between two convolutions of the VAE in one pass over memory.

Adding bias and residual, pixel norm, SiLU and padding are five kernels as plain operations, each of which reads and
writes the video; the padding's gather alone takes half as long as the convolution. Here a few lanes of a warp hold the
channels of one padded cell. `vae.convolution.CausalConv3d` is the definition. Measured gain: docs/performance.md.
"""

from __future__ import annotations

import mlx.core as mx

from ltxbench.model.cuda.kernel import DTYPES, WARP, WIDTH, available, bits, kernel, numbers

THREADS = 256
PACKS_A_LANE = 4
"""At most, of eight channels each: they are held in registers."""

_SOURCE = (
    f"  constexpr int MOST = {PACKS_A_LANE};"
    """
  const int channels = numbers[0], frames = numbers[1], height = numbers[2], width = numbers[3], cells = numbers[4];
  const int front = numbers[5], back = numbers[6], edge = numbers[7];
  const int above = numbers[8], below = numbers[9], left = numbers[10], right = numbers[11];
  const bool biased = numbers[12], adds = numbers[13], keeps = numbers[14], norms = numbers[15];
  const float eps = __int_as_float(numbers[16]);

  const int packs = channels / 8, lanes = packs < 32 ? packs : 32, held = packs / lanes;
  const int thread = blockIdx.x * blockDim.x + threadIdx.x, lane = thread % lanes;
  const bool writes = thread / lanes < cells;
  const int cell = writes ? thread / lanes : 0;  // all lanes take part in the sums
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
  const size_t from = (((size_t(sample) * frames + t) * height + y) * width + x) * channels;
  const size_t to = size_t(cell) * channels;

  float a[MOST][8], squares = 0;
  #pragma unroll
  for (int each = 0; each < MOST; ++each) {
    if (each >= held) continue;
    const int channel = (each * lanes + lane) * 8;
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
  float scaling = 1;
  if (norms) {
    for (int offset = lanes / 2; offset > 0; offset >>= 1) squares += __shfl_xor_sync(0xffffffffu, squares, offset);
    scaling = rsqrtf(squares / channels + eps);
  }
  #pragma unroll
  for (int each = 0; each < MOST; ++each) {
    if (each >= held || !writes) continue;
    if (norms)
      for (int i = 0; i < 8; ++i) {
        const float normed = a[each][i] * scaling;
        a[each][i] = normed / (1 + __expf(-normed));
      }
    store(a[each], padded + to + (each * lanes + lane) * 8);
  }
"""
)


def fits(channels: int, dtype: mx.Dtype) -> bool:
    """Whether the channels of a cell divide evenly among the lanes of a warp or of a power of two of them."""
    packs, rest = divmod(channels, WIDTH)
    full_warp = packs % WARP == 0 and packs <= PACKS_A_LANE * WARP
    even = full_warp if packs >= WARP else packs > 0 and packs & (packs - 1) == 0
    return dtype in DTYPES and rest == 0 and even and available()


def add_norm_pad(
    product: mx.array,
    bias: mx.array | None,
    residual: mx.array | None,
    *,
    repeats: tuple[int, int],
    edges: tuple[tuple[int, int], tuple[int, int]] | None,
    eps: float | None,
    keep: bool,
) -> tuple[mx.array | None, mx.array]:
    """product + bias + residual [B,F,H,W,C], None unless `keep`; and that, padded, the SiLU of its norm before.

    repeats  how often the first and the last frame are put before and after
    edges    the row above the first and below the last, then the columns; None: no padding in space
    eps      None: neither norm nor SiLU
    """
    batch, frames, height, width, channels = product.shape
    edge = 0 if edges is None else 1
    padded = (batch, frames + sum(repeats), height + 2 * edge, width + 2 * edge)
    cells = padded[0] * padded[1] * padded[2] * padded[3]
    rows, columns = edges or ((0, 0), (0, 0))
    sums = bias is not None or residual is not None
    flags = bias is not None, residual is not None, keep and sums, eps is not None
    sizes = channels, frames, height, width, cells, *repeats, edge, *rows, *columns
    lanes = min(WARP, channels // WIDTH)
    inputs = "product", "bias", "residual", "numbers"
    made = kernel("add_norm_pad", inputs, ("padded", "total"), _SOURCE)(
        inputs=[
            product,
            product if bias is None else bias,  # not read then
            product if residual is None else residual,
            numbers(*sizes, *flags, bits(eps or 0)),
        ],
        template=[("T", product.dtype)],
        output_shapes=[(*padded, channels), product.shape if keep and sums else (1,)],
        output_dtypes=[product.dtype, product.dtype],
        grid=(-(-cells * lanes // THREADS) * THREADS, 1, 1),
        threadgroup=(THREADS, 1, 1),
    )
    total = (made[1] if sums else product) if keep else None
    return total, made[0]
