"""The same case in two runs, or two cases of one: by hashes where they tell, else by the best frames that are left."""

from __future__ import annotations

import numpy as np

from ltxbench.errors import ResultError, UsageError
from ltxbench.quality import frames
from ltxbench.quality.luma import Frames
from ltxbench.quality.records import FrameComparison
from ltxbench.quality.reference import compare_frames, identical
from ltxbench.run.records import VideoRecord
from ltxbench.run.store import RunFolder

HASHES = "hashes"


def compare_videos(one: RunFolder, two: RunFolder, case: str) -> FrameComparison:
    """The frames of a case in run `two` against those in run `one`.

    Raises UsageError when a run has no such video or their shapes differ, ResultError for files that cannot be read.
    """
    return compare_cases(one, case, two, case)


def compare_cases(one: RunFolder, reference: str, two: RunFolder, name: str) -> FrameComparison:
    """Frames of `name` in run `two` against those of `reference` in run `one`; see compare_videos.

    `source` says what was compared: equal `hashes` prove every frame identical without decoding any; `lossless`
    frames give exact figures; `compressed` videos give figures of what the encoder left, and where the hashes say
    that the frames differ, two videos that decode alike are still not called identical.
    """
    records = _video(one, reference), _video(two, name)
    if records[0].frames_sha256 == records[1].frames_sha256:
        return identical(records[0].frames, HASHES)
    left, right = frames.of_case(one, reference), frames.of_case(two, name)
    if left is None or right is None:
        raise UsageError(f"the frames of {(reference if left is None else name)!r} were not kept")
    if left.source == right.source == frames.LOSSLESS:
        return compare_frames(left.frames, right.frames, frames.LOSSLESS)
    found = compare_frames(_compressed(one, reference), _compressed(two, name), frames.COMPRESSED)
    return found.model_copy(update={"identical": False, "identical_frames": _equal_hashes(*records)})


def _compressed(run: RunFolder, name: str) -> Frames:
    """Both sides through the encoder: one of them as it was would count the encoder's losses as a difference."""
    path = run.video_path(name)
    if path is None:
        raise ResultError(f"{run.path}: the video of {name!r} is not there")
    return frames.read(path)


def _equal_hashes(one: VideoRecord, two: VideoRecord) -> int | None:
    """How many frames are identical, by their hashes; None where they were not recorded."""
    if not one.frame_sha256 or len(one.frame_sha256) != len(two.frame_sha256):
        return None
    return int(np.sum(np.array(one.frame_sha256) == np.array(two.frame_sha256)))


def _video(run: RunFolder, name: str) -> VideoRecord:
    video = next((case.video for case in run.cases if case.case.name == name), None)
    if video is None:
        raise UsageError(f"{run.path.name} has no video of case {name!r}")
    return video
