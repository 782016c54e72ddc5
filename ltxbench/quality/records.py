"""What is stored of a case's frames: cases/<name>/quality.json. None is "not measured"."""

from __future__ import annotations

from ltxbench.frozen import Frozen

SCHEMA_VERSION = 1
METRICS_VERSION = 2
"""Grows whenever a figure would come out differently for the same frames; what is stored is then measured again."""


class LatticePeak(Frozen):
    period_x_px: float | None
    """None: does not change along x."""
    period_y_px: float | None
    amplitude: float
    """Grey levels."""
    coherence: float
    """0 to 1: how well the phases in all tiles and frames agree."""


class Artifacts(Frozen):
    score: float
    """The largest of the three, each over its unit in `artifacts`; 1 stands out."""
    lattice_rms: float
    """Grey levels, of a pattern that holds its phase over the frame and the video."""
    mesh_rms: float
    """Grey levels, of a pattern that is everywhere but holds only its frequency."""
    grain_sigma: float
    """Grey levels of luma."""
    peaks: tuple[LatticePeak, ...] = ()
    """The strongest of the lattice."""


class Exposure(Frozen):
    mean_level: float
    """Grey levels of luma, over all frames."""
    darkest_frame_level: float
    brightest_frame_level: float
    contrast: float
    """Grey levels: median over the frames of the distance from the 1st to the 99th percentile of luma."""
    clipped_dark_share: float
    """Of all pixels: luma at most 1."""
    clipped_bright_share: float
    """Of all pixels: luma at least 254."""

    @property
    def clipped_share(self) -> float:
        return self.clipped_dark_share + self.clipped_bright_share


class Motion(Frozen):
    """From frame to frame."""

    flicker: float | None = None
    """Grey levels: median absolute second difference of the frames' mean luma; None below three frames."""
    change: float | None = None
    """Grey levels: median over pairs of frames of the mean absolute difference of luma; None for one frame."""
    frozen_frames: tuple[int, ...] = ()
    """Frames that show what the one before showed."""


class VideoQuality(Frozen):
    """The figures that need no reference; docs/quality.md defines them."""

    width: int
    height: int
    frames: int
    sharpness: float
    """0 to 1: share of fine structure that a small blur takes away, median over the frames."""
    exposure: Exposure
    motion: Motion
    black_frames: tuple[int, ...] = ()
    artifacts: Artifacts


class FrameDifference(Frozen):
    frame: int
    psnr_db: float | None
    """None where the frames are identical."""
    ssim: float
    flip: float | None = None
    """Mean LDR-FLIP error, 0 to 1; None where it was not computed."""


class FrameComparison(Frozen):
    source: str
    """What was compared: `hashes`, `lossless` frames, or the `compressed` videos."""
    identical: bool
    frames: int
    identical_frames: int | None
    """None where it cannot be told, because only compressed videos are left."""
    psnr_db_mean: float | None = None
    """10 log10(255^2 / mean squared error over all frames); None where all are identical."""
    ssim_mean: float | None = None
    flip_mean: float | None = None
    """Over the frames that have it."""
    worst: FrameDifference | None = None
    """The frame of the lowest SSIM, then PSNR; None where all are identical."""
    differences: tuple[FrameDifference, ...] = ()
    """Of the frames that differ."""


class Against(Frozen):
    case: str
    why: str
    """`bf16 twin` or `reference case`."""
    reference_sha256: str | None = None
    """Of the frames it was compared with."""
    comparison: FrameComparison | None = None
    not_compared: str | None = None
    """The reason, where there is no comparison."""


class QualityRecord(Frozen):
    schema_version: int = SCHEMA_VERSION
    metrics_version: int = METRICS_VERSION
    frames_sha256: str
    """Of the frames that were measured, as their record has it."""
    source: str
    """`lossless` frames, or the `compressed` video."""
    quality: VideoQuality
    against: tuple[Against, ...] = ()
