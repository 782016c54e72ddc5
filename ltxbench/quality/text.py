"""Quality in words, for a terminal."""

from __future__ import annotations

from ltxbench.quality.records import Against, FrameComparison, QualityRecord, VideoQuality


def lines(quality: VideoQuality) -> list[str]:
    """One figure a line; what needs more than one frame is left out of a still."""
    artifacts, exposure, motion = quality.artifacts, quality.exposure, quality.motion
    levels = f"lattice {artifacts.lattice_rms:.2f}, mesh {artifacts.mesh_rms:.2f}, grain {artifacts.grain_sigma:.2f}"
    found = [
        f"{quality.frames} frame{'s' * (quality.frames != 1)} of {quality.width}x{quality.height}",
        f"artifact score  {artifacts.score:.2f}  (1 stands out)",
        f"  grey levels   {levels}",
        *(
            f"  lattice       period {_period(peak.period_x_px)} x {_period(peak.period_y_px)} px, amplitude "
            f"{peak.amplitude:.2f}, coherence {peak.coherence:.2f}"
            for peak in artifacts.peaks
        ),
        f"sharpness       {quality.sharpness:.2f}",
        f"exposure        mean {exposure.mean_level:.0f}, contrast {exposure.contrast:.0f} grey levels",
        f"clipped         {exposure.clipped_dark_share:.1%} dark, {exposure.clipped_bright_share:.1%} bright",
    ]
    if motion.flicker is not None:
        found.append(f"flicker         {motion.flicker:.2f} grey levels")
    if motion.change is not None:
        found.append(f"change          {motion.change:.2f} grey levels from frame to frame")
        found.append(f"frozen frames   {_numbers(motion.frozen_frames)}")
    found.append(f"black frames    {_numbers(quality.black_frames)}")
    return found


def record_lines(record: QualityRecord) -> list[str]:
    return [f"from the {_source(record.source)}", *lines(record.quality), *(against(one) for one in record.against)]


def against(one: Against) -> str:
    compared = one.not_compared if one.comparison is None else comparison(one.comparison)
    return f"against {one.case} ({one.why}): {compared}"


def comparison(found: FrameComparison) -> str:
    """One sentence."""
    if found.identical:
        return f"all {found.frames} frames are identical, by {_source(found.source)}"
    parts = [f"PSNR {found.psnr_db_mean:.2f} dB"] if found.psnr_db_mean is not None else []
    parts += [f"SSIM {found.ssim_mean:.4f}"] if found.ssim_mean is not None else []
    parts += [f"FLIP {found.flip_mean:.3f}"] if found.flip_mean is not None else []
    if found.worst is not None:
        psnr = f", {found.worst.psnr_db:.2f} dB" if found.worst.psnr_db is not None else ""
        parts.append(f"worst frame {found.worst.frame} (SSIM {found.worst.ssim:.4f}{psnr})")
    if found.identical_frames is not None:
        parts.append(f"{found.identical_frames} of {found.frames} frames identical")
    return f"{', '.join(parts) or 'not identical'}; from the {_source(found.source)}"


def _source(source: str) -> str:
    return {"lossless": "lossless frames", "compressed": "compressed videos"}.get(source, source)


def _period(period: float | None) -> str:
    return "-" if period is None else f"{period:.1f}"


def _numbers(which: tuple[int, ...]) -> str:
    shown = ", ".join(str(one) for one in which[:10])
    return (shown + (f" and {len(which) - 10} more" if len(which) > 10 else "")) or "none"
