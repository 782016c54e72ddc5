"""`ltxbench bench` as a user runs it: real engine, tiny weights, from the matrix file to the finished page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ltxbench.run import store
from ltxbench.run.records import DENOISING, GENERATION, LOADING, Outcome, Phase
from ltxbench.run.store import RunFolder
from ltxbench.run.video import probe, read_frame

MATRIX = """
matrix: pocket
title: Pocket
prompt: A lamp swings in the wind
enhance: true
stills: [4]
groups:
  - {name: all, title: All}
defaults: {size: 128x128, frames: 9, seed: 5, group: all}
cases:
  - {name: distilled, title: Distilled, model: distilled}
  - {name: qint8, title: Distilled qint8, model: distilled, quantization: qint8}
  - name: two-stage
    title: Two stages
    model: dev
    distilled_lora: stage-2
    two_stage: true
    steps: 2
    guidance: 3.0
"""


def ltxbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ltxbench", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder in which the matrix has been run once."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "matrices").mkdir()
    (folder / "matrices" / "pocket.yaml").write_text(MATRIX)
    result = ltxbench("bench", "pocket", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "synthetic" in result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> RunFolder:
    return store.load(folder / "reports" / "pocket" / "run")


def test_every_case_ends_with_a_video_of_the_right_size_length_and_rate(run: RunFolder) -> None:
    assert [case.case.name for case in run.cases] == ["distilled", "qint8", "two-stage"]
    for case in run.cases:
        assert case.outcome is Outcome.OK
        video = probe(run.video_path(case.case.name))
        assert (video.width, video.height, video.frames, video.fps) == (128, 128, 9, 24)


def test_the_videos_show_something_and_move(run: RunFolder) -> None:
    for case in run.cases:
        first, last = (read_frame(run.video_path(case.case.name), index).astype(float) for index in (0, 8))
        assert first.std() > 4
        assert np.abs(first - last).mean() > 1


def test_each_case_has_its_phases_steps_times_and_memory(run: RunFolder) -> None:
    for case in run.cases:
        phases = {record.phase for record in case.phases}
        assert {Phase.LOAD, Phase.ENCODE, Phase.DENOISE_1, Phase.DECODE, Phase.EXPORT} <= phases
        assert (Phase.QUANTIZE in phases) == (case.case.name == "qint8")
        assert ({Phase.UPSCALE, Phase.DENOISE_2, Phase.LORA} <= phases) == (case.case.name == "two-stage")
        assert len(case.steps) == sum(stage.steps for stage in case.case.stages)
        sums = {
            "generation_s": sum(record.duration_s for record in case.phases if record.phase in GENERATION),
            "load_s": sum(record.duration_s for record in case.phases if record.phase in LOADING),
            "export_s": sum(record.duration_s for record in case.phases if record.phase is Phase.EXPORT),
        }
        assert {key: getattr(case.times, key) for key in sums} == pytest.approx(sums)
        assert case.times.wall_s is not None
        assert case.times.wall_s > sum(sums.values())
        denoising_s = sum(record.duration_s for record in case.phases if record.phase in DENOISING)
        assert sum(step.step_s for step in case.steps) <= denoising_s
        assert case.memory.mlx_peak_bytes is not None
        assert case.memory.mlx_peak_bytes >= max(record.mlx_peak_bytes or 0 for record in case.phases)
        assert case.memory.footprint_peak_bytes is not None


def test_all_cases_encode_the_one_enhanced_prompt_and_start_from_the_same_noise(run: RunFolder) -> None:
    assert run.record.enhancement is not None
    assert run.record.conditioning == run.record.enhancement.text
    distilled, qint8, _ = run.cases
    assert distilled.facts["context_sha256"] == qint8.facts["context_sha256"]
    assert distilled.facts["noise_sha256"] == qint8.facts["noise_sha256"]
    assert distilled.facts["latent_sha256"] != qint8.facts["latent_sha256"]


def test_a_second_run_makes_the_same_frames(folder: Path, run: RunFolder) -> None:
    result = ltxbench("bench", "pocket", "--case", "distilled", "--no-report", cwd=folder)
    assert result.returncode == 0, result.stderr
    latest = store.latest(folder / "runs", "pocket")
    assert latest is not None
    again = store.load(latest)
    assert again.record.conditioning == run.record.conditioning
    assert again.cases[0].facts["latent_sha256"] == run.cases[0].facts["latent_sha256"]
    first, second = again.cases[0].video, run.cases[0].video
    assert first is not None
    assert second is not None
    assert first.frames_sha256 == second.frames_sha256


def test_the_page_is_made_again_from_the_stored_results_byte_for_byte(folder: Path) -> None:
    report = folder / "reports" / "pocket"
    files = [path for path in sorted(report.rglob("*")) if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    result = ltxbench("report", "pocket", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert {path: path.read_bytes() for path in sorted(report.rglob("*")) if path.is_file()} == before
    assert report / "README.md" in before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("bench", "pockt"), 2, "pocket"),
        (("bench", "pocket", "--case", "distiled"), 2, "distilled"),
        (("bench", "matrices/broken.yaml"), 3, "broken.yaml:3:"),
        (("bench", "pocket", "--weights", "weights"), 4, "weights"),
        (("report", "nothing"), 10, "nothing"),
    ],
)
def test_a_mistake_ends_with_one_message_and_its_own_code(
    folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (folder / "matrices" / "broken.yaml").write_text("matrix: broken\ntitle: Broken\nframs: 24\n")
    (folder / "weights").mkdir(exist_ok=True)
    result = ltxbench(*arguments, cwd=folder)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
