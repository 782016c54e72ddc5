from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ltxbench.errors import ResultError, UsageError
from ltxbench.quality import compare_videos
from ltxbench.quality.compare import compare_cases
from tests.quality.runs import scene, stored


def test_equal_hashes_prove_two_videos_identical_without_their_files(tmp_path: Path) -> None:
    runs = [stored(tmp_path / side, {"plain": scene()}) for side in "ab"]
    for run in runs:
        for file in run.path.rglob("*.m*"):
            file.write_bytes(b"")
    found = compare_videos(*runs, "plain")
    assert found.identical
    assert found.source == "hashes"


def test_lossless_frames_give_exact_figures(tmp_path: Path) -> None:
    other = scene().copy()
    other[5, 0, 0, 0] ^= 1
    found = compare_videos(
        stored(tmp_path / "a", {"plain": scene()}), stored(tmp_path / "b", {"plain": other}), "plain"
    )
    assert found.source == "lossless"
    assert found.identical_frames == 8
    assert found.worst is not None
    assert found.worst.frame == 5
    assert found.worst.psnr_db == pytest.approx(10 * np.log10(255**2 * other[5].size))


def test_compressed_videos_say_so_and_are_never_called_identical(tmp_path: Path) -> None:
    other = scene().copy()
    other[5, 0, 0, 0] ^= 1
    runs = [
        stored(tmp_path / side, {"plain": frames}, lossless=side == "a")
        for side, frames in (("a", scene()), ("b", other))
    ]
    found = compare_videos(*runs, "plain")
    assert found.source == "compressed"
    assert not found.identical
    assert found.identical_frames == 8


def test_without_hashes_of_frames_nobody_claims_how_many_are_identical(tmp_path: Path) -> None:
    runs = [stored(tmp_path / str(seed), {"plain": scene(seed)}, lossless=False, hashes=False) for seed in (0, 9)]
    assert compare_videos(*runs, "plain").identical_frames is None


def test_two_cases_of_one_run(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)})
    assert not compare_cases(run, "plain", run, "int8").identical


def test_a_case_without_a_video_is_refused(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene()})
    with pytest.raises(UsageError, match="no video of case 'int8'"):
        compare_videos(run, run, "int8")


def test_lossless_frames_that_are_not_the_recorded_ones_are_refused(tmp_path: Path) -> None:
    runs = [stored(tmp_path / str(seed), {"plain": scene(seed)}) for seed in (0, 9)]
    files = [run.lossless_path("plain") for run in runs]
    assert files[0] is not None
    assert files[1] is not None
    files[0].write_bytes(files[1].read_bytes())
    with pytest.raises(ResultError, match="does not hold the frames"):
        compare_videos(*runs, "plain")
