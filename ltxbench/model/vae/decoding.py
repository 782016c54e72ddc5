"""Decoding tile by tile to finished frames, in bounded memory.

Official: ltx_core.model.video_vae.video_vae (`VideoDecoder.tiled_decode`, `decode_video`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


class InvalidFrames(LtxbenchError):
    """The decoder yielded NaN or infinity; `frame`, counted from 0, is the first that holds some."""

    def __init__(self, frame: int) -> None:
        super().__init__(f"decoding made NaN or infinity, from frame {frame} on", hint="The weights may be damaged.")
        self.frame = frame


def decode_chunks(decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None) -> Iterator[mx.array]:
    """Normalised latent [B,C,F,H,W] -> finished frames [B,f,height,width,3] in time order, float32.

    Holds one row of tiles' video, what it shares with the next, and one tile's activations.
    """
    cells = (latent.shape[2], latent.shape[3], latent.shape[4])
    tiles = grid(cells, decoder.scale, tiling)
    shared: mx.array | None = None  # the previous chunk's share in the frames that it has in common with this one
    for time, following in pairwise([*tiles.time, None]):
        assert time is not None
        chunk = _decode_row(decoder, latent, tiles, time)
        if shared is not None:
            chunk = chunk.at[:, : shared.shape[1]].add(shared)
        if following is None:
            yield chunk
            return
        done = following.placement.start - time.placement.start
        shared = mx.contiguous(chunk[:, done:])
        finished = chunk[:, :done]
        mx.eval(shared, finished)
        del chunk
        yield finished
        del finished


def _decode_row(decoder: VideoDecoder, latent: mx.array, tiles: Grid, time: Tile) -> mx.array:
    """All tiles of one stretch of time, weighted and added up. A single tile is returned as it is decoded."""
    part = latent[:, :, time.span.start : time.span.stop]
    over_time = mx.array(time.placement.weights).reshape(-1, 1, 1, 1)
    if len(tiles.height) == len(tiles.width) == 1:
        video = decoder.decode_channels_last(part).astype(mx.float32)
        return video * over_time if len(tiles.time) > 1 else video
    size = (tiles.height[-1].placement.stop, tiles.width[-1].placement.stop)
    frames = time.placement.stop - time.placement.start
    chunk = mx.zeros((latent.shape[0], frames, *size, decoder.config.out_channels))
    queue = DeviceQueue()
    for row, column in product(tiles.height, tiles.width):
        cells = part[:, :, :, row.span.start : row.span.stop, column.span.start : column.span.stop]
        weights = (
            over_time * mx.array(row.placement.weights)[:, None, None] * mx.array(column.placement.weights)[:, None]
        )
        video = decoder.decode_channels_last(cells).astype(mx.float32) * weights
        queue.settle(video)
        rows = slice(row.placement.start, row.placement.stop)
        columns = slice(column.placement.start, column.placement.stop)
        chunk = chunk.at[:, :, rows, columns].add(video)  # in place, where += makes a copy
        mx.async_eval(chunk)
        del video
    return chunk


def decode_frames(
    decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None = OFFICIAL
) -> Iterator[npt.NDArray[np.uint8]]:
    """Normalised latent [1,C,F,H,W] -> finished frames [f,height,width,3] in time order. None: one piece.

    The arrays are MLX's own memory. Raises InvalidFrames for NaN and infinity, which as bytes would look like black or
    white.
    """
    if latent.ndim != 5 or latent.shape[0] != 1:
        raise UsageError(f"the latent's shape is {latent.shape}, expected one sample [1,C,F,H,W]")
    done = 0
    for chunk in decode_chunks(decoder, latent, tiling):
        frames, finite = quantize(chunk.flatten(0, 1)), _finite(chunk).all(axis=(0, 2, 3, 4))
        del chunk  # or it would be held while the next one is decoded
        mx.eval(frames, finite)
        if not finite.all().item():
            raise InvalidFrames(done + int(np.argmin(np.array(finite))))
        done += len(frames)
        yield np.asarray(frames)


def decode_video(
    decoder: VideoDecoder, latent: mx.array, tiling: TilingConfig | None = OFFICIAL
) -> npt.NDArray[np.uint8]:
    """All frames [F,height,width,3] of what `decode_frames` gives, in memory of the host's own.

    Bringing 121 frames over from a GPU with memory of its own takes a fifth of the time of decoding them: several
    threads do it, while the next chunk is decoded.
    """
    cells, scale = latent.shape[2:], decoder.scale
    size = (cells[0] - 1) * scale[0] + 1, cells[1] * scale[1], cells[2] * scale[2]
    video = np.empty((*size, decoder.config.out_channels), np.uint8)
    done, copies = 0, list[Future[None]]()
    with ThreadPoolExecutor(COPYING_THREADS) as pool:
        for chunk in decode_frames(decoder, latent, tiling):
            target = video[done : done + len(chunk)]
            done += len(chunk)
            shares = (np.array_split(array, COPYING_THREADS) for array in (target, chunk))
            copies += [pool.submit(np.copyto, *pair) for pair in zip(*shares, strict=True)]
    for copy in copies:
        copy.result()
    return video


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
