"""Runs whose frames are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ltxbench.matrix.case import Case, Quantization
from ltxbench.quality.luma import Frames
from ltxbench.run import store
from ltxbench.run.lossless import write_lossless
from ltxbench.run.records import CaseRecord, Outcome, VideoRecord
from ltxbench.run.store import RunFolder
from ltxbench.run.video import frame_hashes, frames_sha256, write_video
from tests.report.runs import make_matrix, make_run

TWINS = (
    Case(name="plain", title="Plain", width=96, height=64, frames=9),
    Case(name="int8", title="8 bit", width=96, height=64, frames=9, quantization=Quantization.QINT8),
)


def scene(seed: int = 0, count: int = 9, height: int = 64, width: int = 96) -> Frames:
    """A smooth picture that drifts."""
    y, x = np.mgrid[:height, :width]
    frames = [
        np.stack([x + 9 * index, y * 2 + seed, 128 + 90 * np.sin((x + y + 5 * index) / 9)], axis=-1) % 256
        for index in range(count)
    ]
    return np.stack(frames).astype(np.uint8)


def stored(
    root: Path,
    frames: Mapping[str, Frames],
    cases: tuple[Case, ...] = TWINS,
    *,
    lossless: bool = True,
    hashes: bool = True,
    noise: Mapping[str, str] | None = None,
) -> RunFolder:
    """A run in which each case of `frames` made those; the others failed."""
    run = store.create(root, make_run(make_matrix(cases), synthetic=False))
    for number, case in enumerate(cases, start=1):
        record = CaseRecord(
            case=case,
            number=number,
            outcome=Outcome.OK if case.name in frames else Outcome.FAILED,
            started_utc="2026-01-31T12:00:00Z",
            facts={"noise_sha256": (noise or {}).get(case.name, "ab" * 32)},
        )
        folder = run.round_folder(record)
        folder.mkdir(parents=True)
        if case.name in frames:
            record = record.model_copy(
                update={"video": _video(folder, case.name, frames[case.name], lossless=lossless, hashes=hashes)}
            )
        run = store.write_case(run, record)
    return store.load(run.path)


def _video(folder: Path, name: str, frames: Frames, *, lossless: bool, hashes: bool) -> VideoRecord:
    path = folder / f"{name}.mp4"
    write_video(path, frames, fps=24)
    if lossless:
        write_lossless(folder / f"{name}.mkv", frames, fps=24)
    count, height, width, _ = frames.shape
    return VideoRecord(
        file=path.name,
        width=width,
        height=height,
        frames=count,
        fps=24,
        size_bytes=path.stat().st_size,
        frames_sha256=frames_sha256(frames),
        frame_sha256=frame_hashes(frames) if hashes else (),
        lossless=f"{name}.mkv" if lossless else None,
    )
