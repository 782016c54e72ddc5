"""mp4 files through PyAV: H.264, 4:2:0, BT.709, playable everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ltxbench.errors import ResultError
from ltxbench.run.files import as_resource_error, replacing

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

Frames = npt.NDArray[np.uint8]
CRF = 20
BT709 = 1  # ITU-T H.273: primaries, transfer and matrix share this code point
ENCODER = "threads=4:cpu-independent=1"
"""The encoder's decisions depend on the number of threads, and by default on what the processor can do: with AVX-512
they even changed from one time to the next."""


@dataclass(frozen=True)
class VideoFacts:
    width: int
    height: int
    frames: int
    fps: float
    codec: str
    pixel_format: str


def write_video(path: Path, frames: Frames, fps: int, crf: int = CRF) -> None:
    """Encodes [F,H,W,3] RGB. The same frames give the same bytes.

    Raises ValueError for what is no video (no frames, odd sizes), ResourceError when the disk is full.
    """
    import av
    from av.error import FFmpegError

    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames are {frames.dtype} {frames.shape}, expected uint8 [F,H,W,3]")
    count, height, width, _ = frames.shape
    if not count or height % 2 or width % 2 or not height or not width:
        raise ValueError(f"{count} frames of {width}x{height}: needs at least one, with even sizes")
    with replacing(path) as temporary:
        try:
            # bitexact keeps library versions and dates out of the file, faststart puts the index in front.
            muxer = {"movflags": "+faststart", "fflags": "+bitexact"}
            with av.open(temporary, "w", format="mp4", options=muxer) as container:
                stream = container.add_stream(
                    "libx264",
                    rate=fps,
                    options={"crf": str(crf), "preset": "medium", "x264-params": ENCODER},
                )
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                _tag_bt709(stream)
                for image in frames:
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
                        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
                    )
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        except FFmpegError as error:
            told = as_resource_error(error, path)
            if told is None:
                raise
            raise told from error


def _tag_bt709(stream: VideoStream) -> None:
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = 1  # 16 to 235


def read_frame(path: Path, index: int) -> Frames:
    """Frame `index` as [H,W,3] RGB; negative counts from the end.

    Raises IndexError when the video is shorter, ResultError when it cannot be read.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(path) as container:
            decoded = container.decode(container.streams.video[0])
            if index < 0:
                return [_rgb(frame) for frame in decoded][index]
            for position, frame in enumerate(decoded):
                if position == index:
                    return _rgb(frame)
    except (FFmpegError, OSError) as error:
        raise ResultError(f"{path}: cannot be read as a video ({error})") from error
    raise IndexError(f"{path} has no frame {index}")


def _rgb(frame: VideoFrame) -> Frames:
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def probe(path: Path) -> VideoFacts:
    """What the file holds; frames are counted, not believed. Raises ResultError."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise ResultError(f"{path}: no video in it")
            stream = container.streams.video[0]
            context = stream.codec_context
            frames = sum(packet.size > 0 for packet in container.demux(stream))
            return VideoFacts(
                width=context.width,
                height=context.height,
                frames=frames,
                fps=float(stream.average_rate or 0),
                codec=context.name,
                pixel_format=context.pix_fmt or "",
            )
    except (FFmpegError, OSError) as error:
        raise ResultError(f"{path}: cannot be read as a video ({error})") from error


def frames_sha256(frames: Frames | Sequence[Frames]) -> str:
    """Of the shape and the pixels. Raises ValueError for no frames: the hash of nothing proves nothing."""
    images = np.ascontiguousarray(frames)
    if not images.size:
        raise ValueError("no frames to hash")
    digest = hashlib.sha256(f"{images.shape}".encode())
    digest.update(images.data)
    return digest.hexdigest()


def frame_hashes(frames: Frames) -> tuple[str, ...]:
    """Of each frame [H,W,3] by itself."""
    return tuple(frames_sha256(image) for image in frames)


def blank(frames: Frames) -> str | None:
    """What every frame of [F,H,W,3] is, where all of them are one colour all over; None for a picture.

    Stops at the first frame that shows anything, so that it costs next to nothing.
    """
    for image in frames:
        if (image != image[0, 0]).any():
            return None
    return "black" if not frames.any() else "one colour all over"
