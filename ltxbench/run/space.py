"""How much of the disk a run may need: better told now than after the first hours."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ltxbench.errors import ResourceError
from ltxbench.matrix.case import Case
from ltxbench.run import lossless as lossless_video

SPARE_BYTES = 64 << 20  # the page, and what else is written beside the rounds
ROUND_BYTES = 2 << 20  # a round's record, its memory series and what its process printed
VIDEO_BYTES_PER_PIXEL = 0.5  # of the encoder at its setting, noise being the worst


def check_space(root: Path, cases: Sequence[Case], rounds: int, *, lossless: bool) -> int:
    """The bytes that the run may need below `root`. Raises ResourceError when they are not free.

    Rounds that make the frames of an earlier one don't keep them, so each case's frames count once, and the largest
    once more while a round is being compared.
    """
    pixels = [case.width * case.height * case.frames for case in cases]
    per_pixel = VIDEO_BYTES_PER_PIXEL + (lossless_video.BYTES_PER_PIXEL if lossless else 0)
    kept = sum(pixels) + max(pixels, default=0)
    needed = SPARE_BYTES + rounds * ROUND_BYTES + int(per_pixel * kept)
    existing = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        without = " --no-lossless needs less." if lossless else ""
        raise ResourceError(
            f"{root}: {free >> 20:,} MiB are free, this run may need {needed >> 20:,} MiB",
            hint=f"Free some space, or put the runs elsewhere with --runs.{without}",
        )
    return needed
