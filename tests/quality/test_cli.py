from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from ltxbench.cli.app import app
from ltxbench.errors import ResultError, UsageError
from ltxbench.run.video import write_video
from tests.quality.pictures import photograph, with_grain
from tests.quality.runs import scene, stored


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["quality", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_still_and_a_video_are_measured(tmp_path: Path) -> None:
    Image.fromarray(with_grain(photograph("coffee.png", 384), 6)).save(tmp_path / "still.png")
    write_video(tmp_path / "video.mp4", scene(), fps=24)
    found = json.loads(output(str(tmp_path / "still.png"), str(tmp_path / "video.mp4"), "--json"))
    still, video = (found[str(tmp_path / name)]["quality"] for name in ("still.png", "video.mp4"))
    assert still["artifacts"]["score"] > 1
    assert (still["frames"], video["frames"]) == (1, 9)
    shown = output(str(tmp_path / "video.mp4"))
    assert "9 frames of 96x64" in shown
    assert "flicker" in shown
    assert "flicker" not in output(str(tmp_path / "still.png"))


def test_a_file_is_compared_with_a_reference(tmp_path: Path) -> None:
    for name, seed in (("a.mp4", 0), ("b.mp4", 9)):
        write_video(tmp_path / name, scene(seed), fps=24)
    assert "worst frame" in output(str(tmp_path / "a.mp4"), "--reference", str(tmp_path / "b.mp4"))
    assert "identical" in output(str(tmp_path / "a.mp4"), "--reference", str(tmp_path / "a.mp4"))


def test_a_run_is_measured_and_stored(tmp_path: Path) -> None:
    run = stored(tmp_path, {"plain": scene(), "int8": scene(4)})
    assert "against plain (bf16 twin): PSNR" in output(str(run.path))
    assert (run.case_folder("int8") / "quality.json").exists()
    assert set(json.loads(output(str(run.path), "--json"))[str(run.path)]["cases"]) == {"plain", "int8"}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no picture")
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    for name, error in (("torn.png", ResultError), ("torn.mp4", ResultError), ("none.mp4", UsageError)):
        with pytest.raises(error, match=name):
            output(str(tmp_path / name))
