"""The decoder's channels become space and time in one pass over memory.

As plain operations the bias, the rearrangement and the sum with the shortcut are kernels of their own, and MLX's copy
of seven axes reaches a tenth of the memory's rate. `vae.blocks.expanded` and `vae.rearrange.unpatchify` are the
definition. Measured gain: docs/performance.md.
"""

from __future__ import annotations

from math import prod
from typing import cast

import mlx.core as mx

from ltxbench.model.cuda.kernel import DTYPES, MAX_THREADS, WIDTH, available, kernel, numbers

THREADS = 256

# One thread block holds one cell. Channels lie in shared memory with one element more after those of eight outputs, so
# that the threads of a warp, which read them that far apart, meet different banks.
_DEPTH_TO_SPACE = """
  extern __shared__ float held[];
  const int channels = numbers[0], others = numbers[1], frames = numbers[2], height = numbers[3], width = numbers[4];
  const int t = numbers[5], h = numbers[6], w = numbers[7], drop = numbers[8];
  const bool biased = numbers[9], adds = numbers[10];
  const int parts = t * h * w, out_channels = channels / parts, shared_channels = others / parts;
  float* const shortcut = held + channels + out_channels / 8;
  const size_t cell = blockIdx.x;
  const int first = threadIdx.x * 8;
  float a[8], b[8];
  load(product + cell * channels + first, a);
  if (biased) {
    load(bias + first, b);
    for (int i = 0; i < 8; ++i) a[i] = static_cast<float>(static_cast<T>(a[i] + b[i]));
  }
  for (int i = 0; i < 8; ++i) held[first + i + (first + i) / (8 * parts)] = a[i];
  if (adds && first < others) {
    load(total + cell * others + first, b);
    for (int i = 0; i < 8; ++i) shortcut[first + i + (first + i) / (8 * parts)] = b[i];
  }
  __syncthreads();
  const int packs = out_channels / 8, part = threadIdx.x / packs, channel = threadIdx.x % packs * 8;
  int rest = blockIdx.x;
  const int column = rest % width * w + part % w;
  rest /= width;
  const int line = rest % height * h + part / w % h;
  rest /= height;
  const int frame = rest % frames * t + part / (w * h) - drop;
  if (frame < 0) return;
  for (int i = 0; i < 8; ++i) {
    const int from = (channel + i) * parts + part;
    a[i] = held[from + from / (8 * parts)];
    if (adds) {
      const int other = (channel + i) % shared_channels * parts + part;
      a[i] += shortcut[other + other / (8 * parts)];
    }
  }
  const size_t sample = rest / frames, out_frame = sample * (frames * t - drop) + frame;
  store(a, out + ((out_frame * height * h + line) * width * w + column) * out_channels + channel);
"""

_UNPATCHIFY = """
  const int channels = numbers[0], patch = numbers[1], height = numbers[2], width = numbers[3], pixels = numbers[4];
  const bool biased = numbers[5];
  const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
  if (pixel >= pixels) return;
  const int x = pixel % (width * patch), line = pixel / (width * patch);
  const int y = line % (height * patch), frame = line / (height * patch);
  const size_t cell = (size_t(frame) * height + y / patch) * width + x / patch;
  const int within = x % patch * patch + y % patch, area = patch * patch;
  for (int channel = 0; channel < channels; ++channel) {
    float value = static_cast<float>(product[cell * channels * area + channel * area + within]);
    if (biased) value += static_cast<float>(bias[channel * area + within]);
    out[size_t(pixel) * channels + channel] = static_cast<T>(value);
  }
"""


def _fits(channels: int, others: int, parts: int, dtype: mx.Dtype) -> bool:
    """Whether a cell of so many channels, and `others` of its shortcut, is one thread block's."""
    whole_packs = channels % (parts * WIDTH) == 0 and others % WIDTH == 0
    return dtype in DTYPES and whole_packs and others <= channels <= MAX_THREADS * WIDTH and available()


def depth_to_space(
    product: mx.array, bias: mx.array | None, total: mx.array | None, stride: tuple[int, int, int], drop: int
) -> mx.array | None:
    """product + bias [B,F,H,W,C*t*h*w] and, repeated over its channels, the total [B,F,H,W,S*t*h*w], rearranged.

    [B,F*t-drop,H*h,W*w,C]: without the first `drop` frames. S divides C. None where the plain operations are to do it.
    """
    batch, frames, height, width, channels = product.shape
    t, h, w = stride
    parts = prod(stride)
    others = 0 if total is None else total.shape[-1]
    if not _fits(channels, others, parts, product.dtype):
        return None
    sizes = channels, others, frames, height, width, *stride, drop
    shared_bytes = 4 * sum(held + held // (WIDTH * parts) for held in (channels, others))
    inputs = "product", "bias", "total", "numbers"
    (out,) = kernel("depth_to_space", inputs, ("out",), _DEPTH_TO_SPACE, shared_bytes)(
        inputs=[
            product,
            product if bias is None else bias,  # not read then
            product if total is None else total,
            numbers(*sizes, bias is not None, total is not None),
        ],
        template=[("T", product.dtype)],
        output_shapes=[(batch, frames * t - drop, height * h, width * w, channels // parts)],
        output_dtypes=[product.dtype],
        grid=(batch * frames * height * width * (channels // WIDTH), 1, 1),
        threadgroup=(channels // WIDTH, 1, 1),
    )
    return cast("mx.array", out)


def unpatchify(product: mx.array, bias: mx.array | None, patch: int) -> mx.array | None:
    """product + bias [B,F,H,W,C*p*p] rearranged to [B,F,H*p,W*p,C]. None where the plain operations are to do it."""
    if product.dtype not in DTYPES or not available():
        return None
    batch, frames, height, width, channels = product.shape
    shape = batch, frames, height * patch, width * patch, channels // patch**2
    pixels = prod(shape[:-1])
    inputs = "product", "bias", "numbers"
    (out,) = kernel("unpatchify", inputs, ("out",), _UNPATCHIFY)(
        inputs=[
            product,
            product if bias is None else bias,  # not read then
            numbers(shape[-1], patch, height, width, pixels, bias is not None),
        ],
        template=[("T", product.dtype)],
        output_shapes=[shape],
        output_dtypes=[product.dtype],
        grid=(-(-pixels // THREADS) * THREADS, 1, 1),
        threadgroup=(THREADS, 1, 1),
    )
    return cast("mx.array", out)
