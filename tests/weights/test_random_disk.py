"""Random weights written as files: the official layout, the same values, and never half a file."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from itertools import pairwise
from pathlib import Path

import mlx.core as mx
import psutil
import pytest

from ltxbench.errors import ResourceError
from ltxbench.matrix.case import Model
from ltxbench.model.checkpoint import open_unified
from ltxbench.weights.files import RandomWeights, WeightFiles
from ltxbench.weights.random import disk
from ltxbench.weights.random.disk import ensure_files
from ltxbench.weights.random.writing import MARKER, SPARE_BYTES, write_missing
from ltxbench.weights.source import FileSource, RandomSource
from ltxbench.weights.verify import verify

WEIGHTS = RandomWeights(seed=3, size="small")
ALL = ["distilled", "dev", "distilled-lora", "upscaler", "gemma"]
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def written(cache) -> WeightFiles:
    """Through a process of its own, as the command does it."""
    return ensure_files(WEIGHTS, ALL, cache)


def folder_of(files: WeightFiles) -> Path:
    assert files.dev is not None
    return files.dev.parent


def test_the_files_hold_the_tensors_that_are_drawn_without_files(written):
    files, drawn = FileSource(written), RandomSource(WEIGHTS)
    for opened, other in (
        (files.unified(Model.DEV), drawn.unified(Model.DEV)),
        (files.unified(Model.DISTILLED), drawn.unified(Model.DISTILLED)),
        (files.distilled_lora(), drawn.distilled_lora()),
        (files.upscaler(), drawn.upscaler()),
    ):
        assert opened.config == other.config
        assert opened.dtypes == other.dtypes
        stored, made = opened.tensors(""), other.tensors("")
        assert stored.keys() == made.keys()
        assert all(mx.array_equal(stored[key], made[key]).item() for key in made)


def test_gemma_s_folder_holds_the_same_model(written):
    files, drawn = FileSource(written), RandomSource(WEIGHTS)
    tokens = files.tokenizer()("A beaver builds a dam", 16)
    assert mx.array_equal(tokens.ids, drawn.tokenizer()("A beaver builds a dam", 16).ids)
    for one, other in zip(
        files.text_encoder(mx.float32).hidden_states(*tokens),
        drawn.text_encoder(mx.float32).hidden_states(*tokens),
        strict=True,
    ):
        assert mx.array_equal(one, other).item()


def test_every_file_is_one_that_the_verification_accepts(written):
    assert verify(written.dev).kind == "unified checkpoint"
    assert verify(written.distilled_lora).groups["pairs, video"].tensors
    assert verify(written.upscaler).kind == "latent upscaler"
    assert verify(written.gemma).kind == "Gemma 3, quantized"
    assert open_unified(written.dev).dtypes["model.diffusion_model.scale_shift_table"] == "F32"
    assert verify(written.dev).dtypes.keys() == {"BF16", "F32"}


def test_files_that_are_there_are_kept(written, cache):
    before = {path: path.stat().st_mtime_ns for path in folder_of(written).rglob("*") if path.is_file()}
    assert ensure_files(WEIGHTS, ALL, cache) == written
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_the_models_asked_for_are_written(tmp_path):
    write_missing(tmp_path, WEIGHTS, ["upscaler"])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([MARKER, "ltx-2-spatial-upscaler-x2-1.0.safetensors"])


@pytest.fixture
def one_file(written, tmp_path) -> Path:
    """A folder with the upscaler alone; returns the file."""
    write_missing(tmp_path, WEIGHTS, ["upscaler"])
    return tmp_path / written.upscaler.name


@pytest.mark.parametrize("damage", ["torn", "gone", "other generator", "no marker"])
def test_what_is_torn_or_of_another_generator_is_written_anew(one_file, damage):
    whole, marker = one_file.read_bytes(), one_file.parent / MARKER
    match damage:
        case "torn":
            one_file.write_bytes(whole[:-1])
        case "gone":
            one_file.unlink()
        case "other generator":
            one_file.write_bytes(bytes(len(whole)))
            marker.write_text(marker.read_text().replace('"seed": 3', '"seed": 4'))
        case "no marker":
            one_file.write_bytes(bytes(len(whole)))
            marker.unlink()
    write_missing(one_file.parent, WEIGHTS, ["upscaler"])
    assert one_file.read_bytes() == whole


def test_a_killed_writer_leaves_no_file_that_looks_whole_and_its_scraps_go(one_file):
    scrap = one_file.with_name("ltx-2-19b-dev.safetensors.partial")
    scrap.write_bytes(b"torn")
    write_missing(one_file.parent, WEIGHTS, ["upscaler"])
    assert not scrap.exists()


SLOW = """
import os, time

def write(*_):
    with open("pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.new", "pid")
    time.sleep(60)
"""
PARENT = """
import slow
from pathlib import Path
from ltxbench.weights.files import RandomWeights
from ltxbench.weights.random import disk
disk._write_missing = slow.write
disk.ensure_files(RandomWeights(seed=3, size="small"), ["upscaler"], Path("cache"))
"""


def test_the_writing_process_ends_with_the_one_that_waits_for_it(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, env=environment)
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    writer = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait()
    writer.wait(timeout=10)


def test_a_failure_while_writing_leaves_nothing_under_the_final_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_missing(tmp_path, WEIGHTS, ["upscaler"])
    assert not list(tmp_path.glob("*.safetensors"))


def test_too_small_a_disk_is_told_with_both_figures_before_anything_is_written(one_file, monkeypatch):
    needed = one_file.stat().st_size
    one_file.unlink()
    free = needed + SPARE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free, 0, free))
    with pytest.raises(ResourceError) as caught:
        write_missing(one_file.parent, WEIGHTS, ["upscaler"])
    assert f"{needed:,} bytes" in caught.value.message
    assert f"{free:,} bytes" in caught.value.message
    assert not one_file.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free + 1, 0, free + 1))
    write_missing(one_file.parent, WEIGHTS, ["upscaler"])
    assert one_file.stat().st_size == needed


def test_what_goes_wrong_in_the_writing_process_keeps_its_advice_on_the_way_out():
    error = pickle.loads(pickle.dumps(ResourceError("too small", hint="Free some space.")))
    assert (error.message, error.hint, error.exit_code) == ("too small", "Free some space.", 5)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        ensure_files(WEIGHTS, ["upscaler"], tmp_path / "file")


def test_writing_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "LOOK_S", 0.01)
    told: list[tuple[int, int]] = []
    written = ensure_files(WEIGHTS, ["distilled", "upscaler"], tmp_path, lambda *bytes_: told.append(bytes_))
    files = [written.distilled, written.upscaler]
    assert {total for _, total in told} == {sum(path.stat().st_size for path in files)}
    assert all(0 <= before[0] <= after[0] <= after[1] for before, after in pairwise(told))
    assert told[-1][0] > 0


def test_nothing_is_told_where_nothing_is_written(tmp_path, monkeypatch):
    ensure_files(WEIGHTS, ["upscaler"], tmp_path)
    monkeypatch.setattr(disk, "LOOK_S", 0.01)
    told: list[int] = []
    ensure_files(WEIGHTS, ["upscaler"], tmp_path, lambda written, total: told.append(total))
    assert not told
