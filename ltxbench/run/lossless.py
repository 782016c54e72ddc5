"""Frames without loss: FFV1 in Matroska, RGB as it was decoded by the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ltxbench.errors import ResultError
from ltxbench.run.files import as_resource_error, replacing

if TYPE_CHECKING:
    from av.container import InputContainer

Frames = npt.NDArray[np.uint8]
CODEC: Literal["ffv1"] = "ffv1"
PIXEL_FORMAT = "bgr0"
"""RGB with a byte to spare: FFV1 codes it by a reversible colour transform, so no bit is lost."""
OPTIONS = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
"""Every frame stands for itself: damage stays in one."""
BYTES_PER_PIXEL = 4.0
"""At most: noise comes out larger than it went in."""


def write_lossless(path: Path, frames: Frames, fps: int) -> None:
    """Writes uint8 [F,H,W,3] RGB, at least 32 by 32.

    Raises ValueError for what is no video, ResourceError when the disk is full.
    """
    import av
    from av.error import FFmpegError

    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise ValueError(f"frames are {frames.dtype} {frames.shape}, expected uint8 [F,H,W,3]")
    with replacing(path) as temporary:
        try:
            with av.open(temporary, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
                stream = container.add_stream(CODEC, rate=fps, options=OPTIONS)
                stream.height, stream.width = frames.shape[1:3]
                stream.pix_fmt = PIXEL_FORMAT
                for image in frames:
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                    container.mux(stream.encode(frame.reformat(format=PIXEL_FORMAT)))
                container.mux(stream.encode(None))
        except FFmpegError as error:
            told = as_resource_error(error, path)
            if told is None:
                raise
            raise told from error


def read_lossless(path: Path) -> Iterator[Frames]:
    """The frames [H,W,3] RGB, one after the other. Raises ResultError for what cannot be decoded.

    The decoder covers up a damaged stretch of a frame, so whoever relies on the pixels compares their hashes with the
    record's (`VideoRecord.frame_sha256`).
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(path) as container:
            yield from _decoded(path, container)
    except (FFmpegError, OSError) as error:
        raise ResultError(f"{path}: cannot be read as a video ({error})") from error


def _decoded(path: Path, container: InputContainer) -> Iterator[Frames]:
    if not container.streams.video:
        raise ResultError(f"{path}: no video in it")
    stream = container.streams.video[0]
    if stream.codec_context.name != CODEC or stream.codec_context.pix_fmt != PIXEL_FORMAT:
        raise ResultError(f"{path}: not frames without loss ({stream.codec_context.name})")
    for frame in container.decode(stream):
        yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
