"""Decoding tile by tile to finished frames, in bounded memory.

Official: ltx_core.model.video_vae.video_vae (`VideoDecoder.tiled_decode`, `decode_video`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise, product

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.errors import LtxbenchError, UsageError
from ltxbench.model.device_queue import DeviceQueue
from ltxbench.model.fused import fused
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.tiling import OFFICIAL, Grid, Tile, TilingConfig, grid

COPYING_THREADS = 8
"""One alone is bound by the page faults of memory that a GPU has written."""
SPARE_BYTES = 256 << 20
"""Of blocks' outputs ahead of a GPU, with five times as much in temporaries. Those of the first levels are small, and
done sooner than the host can put the next one together."""

Frames = npt.NDArray[np.uint8]


class InvalidFrames(LtxbenchError):
    """The decoder yielded NaN or infinity; `frame`, counted from 0, is the first that holds some."""

    def __init__(self, frame: int) -> None:
        super().__init__(f"decoding made NaN or infinity, from frame {frame} on", hint="The weights may be damaged.")
        self.frame = frame


def decode_chunks(
    decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None, queue: DeviceQueue | None = None
) -> Iterator[mx.array]:
    """Normalised latent [B,C,F,H,W] -> finished frames [B,f,height,width,3] in time order, float32.

    Holds one row of tiles' video, what it shares with the next, and one tile's activations. `queue` is the one that
    the chunks' readers wait in, of its own where it is None.
    """
    queue = queue or DeviceQueue(spare_bytes=SPARE_BYTES)
    cells = (latent.shape[2], latent.shape[3], latent.shape[4])
    tiles = grid(cells, decoder.scale, tiling)
    shared: mx.array | None = None  # the previous chunk's share in the frames that it has in common with this one
    for time, following in pairwise([*tiles.time, None]):
        assert time is not None
        chunk = _decode_row(decoder, latent, tiles, time, queue)
        if shared is not None:
            chunk = chunk.at[:, : shared.shape[1]].add(shared)
        if following is None:
            yield chunk
            return
        done = following.placement.start - time.placement.start
        shared = mx.contiguous(chunk[:, done:])
        finished = chunk[:, :done]
        mx.async_eval(shared, finished)
        del chunk
        yield finished
        del finished


def _decode_row(decoder: VideoDecoder, latent: mx.array, tiles: Grid, time: Tile, queue: DeviceQueue) -> mx.array:
    """All tiles of one stretch of time, weighted and added up. A single tile is returned as it is decoded."""
    part = latent[:, :, time.span.start : time.span.stop]
    over_time = mx.array(time.placement.weights).reshape(-1, 1, 1, 1)
    if len(tiles.height) == len(tiles.width) == 1:
        video = decoder.decode_channels_last(part, queue.settle).astype(mx.float32)
        return video * over_time if len(tiles.time) > 1 else video
    size = (tiles.height[-1].placement.stop, tiles.width[-1].placement.stop)
    frames = time.placement.stop - time.placement.start
    chunk = mx.zeros((latent.shape[0], frames, *size, decoder.config.out_channels))
    for row, column in product(tiles.height, tiles.width):
        cells = part[:, :, :, row.span.start : row.span.stop, column.span.start : column.span.stop]
        over_rows, over_columns = mx.array(row.placement.weights), mx.array(column.placement.weights)
        video = decoder.decode_channels_last(cells, queue.settle)
        video = _weighted(video, over_time, over_rows[:, None, None], over_columns[:, None])
        queue.settle(video)
        rows = slice(row.placement.start, row.placement.stop)
        columns = slice(column.placement.start, column.placement.stop)
        chunk = chunk.at[:, :, rows, columns].add(video)  # in place, where += makes a copy
        mx.async_eval(chunk)
        del video
    return chunk


def decode_frames(
    decoder: VideoDecoder,
    latent: mx.array,
    take: Callable[[Frames], object],
    tiling: TilingConfig | None = OFFICIAL,
) -> None:
    """Normalised latent [1,C,F,H,W] -> finished frames [f,height,width,3], given to `take` in time order.

    A GPU is at the next ones meanwhile. The arrays are MLX's own memory. `tiling` None: one piece. Raises InvalidFrames
    for NaN and infinity, which as bytes would look like black or white.
    """
    if latent.ndim != 5 or latent.shape[0] != 1:
        raise UsageError(f"the latent's shape is {latent.shape}, expected one sample [1,C,F,H,W]")
    queue, done = DeviceQueue(spare_bytes=SPARE_BYTES), 0
    for chunk in decode_chunks(decoder, latent, tiling, queue):
        frames, finite = quantize(chunk.flatten(0, 1)), _finite(chunk).all(axis=(0, 2, 3, 4))
        del chunk  # or it would be held while the next one is decoded
        queue.finish(frames, finite, then=partial(_give, take, frames, finite, done))
        done += len(frames)
    queue.drain()


def _give(take: Callable[[Frames], object], frames: mx.array, finite: mx.array, first: int) -> None:
    """`first` is the number of the first frame."""
    if not (all_finite := np.array(finite)).all():
        raise InvalidFrames(first + int(np.argmin(all_finite)))
    take(np.asarray(frames))


def decode_video(decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None = OFFICIAL) -> Frames:
    """All frames [F,height,width,3] of what `decode_frames` gives, in memory of the host's own.

    Bringing 121 frames over from a GPU with memory of its own would take one thread a fifth of the time of decoding
    them: several do it, while the next chunk is decoded.
    """
    cells, scale = latent.shape[2:], decoder.scale
    size = (cells[0] - 1) * scale[0] + 1, cells[1] * scale[1], cells[2] * scale[2]
    video = np.empty((*size, decoder.config.out_channels), np.uint8)
    done, copies = 0, list[Future[None]]()

    def copy(chunk: Frames) -> None:
        nonlocal done
        target = video[done : done + len(chunk)]
        done += len(chunk)
        shares = (np.array_split(array, COPYING_THREADS) for array in (target, chunk))
        copies.extend(pool.submit(np.copyto, *pair) for pair in zip(*shares, strict=True))

    with ThreadPoolExecutor(COPYING_THREADS) as pool:
        decode_frames(decoder, latent, copy, tiling)
    for each in copies:
        each.result()
    return video


@fused
def _weighted(video: mx.array, over_time: mx.array, over_rows: mx.array, over_columns: mx.array) -> mx.array:
    return video.astype(mx.float32) * (over_time * over_rows * over_columns)


@fused
def _finite(video: mx.array) -> mx.array:
    """Where `video` is neither NaN nor infinite."""
    return mx.isfinite(video)


def to_uint8(video: mx.array) -> npt.NDArray[np.uint8]:
    """One video [3,F,H,W] (or [1,3,F,H,W]) in [-1,1] -> [F,H,W,3] in 0..255."""
    if video.ndim == 5 and video.shape[0] == 1:
        video = video[0]
    if video.ndim != 4:
        raise UsageError(f"the video's shape is {video.shape}, expected [3,F,H,W]")
    return np.array(quantize(mx.moveaxis(video, 0, -1)))


@fused
def quantize(video: mx.array) -> mx.array:
    """floor(255 * clamp((x + 1) / 2, 0, 1)), in float32."""
    video = video.astype(mx.float32)
    return (mx.clip((video + 1) / 2, 0, 1) * 255).astype(mx.uint8)
