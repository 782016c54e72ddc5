"""What surrounds the model: recorder and sampler, matrices, pages, the command's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx
import pytest

from ltxbench.matrix import load
from ltxbench.measure.footprint import footprint_reader
from ltxbench.measure.memory import MemorySampler
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.report import write
from ltxbench.run.events import EventWriter
from ltxbench.run.mlx_engine import MlxEngine
from ltxbench.run.records import Phase
from ltxbench.run.store import RunFolder
from tests.microbench.modules import noise
from tests.microbench.sizes import Sizes
from tests.report.runs import make_matrix, make_record, many, store_run


@contextmanager
def recorded(on: bool) -> Iterator[CaseRecorder | None]:
    """A recorder with the sampler running, as in a case's process; its events go to the null device."""
    if not on:
        yield None
        return
    engine, footprint = MlxEngine(), footprint_reader()
    descriptor = os.open(os.devnull, os.O_WRONLY)
    emit = EventWriter(descriptor)
    recorder = CaseRecorder(engine, emit, footprint)
    with MemorySampler(engine, recorder, emit, footprint).running(), recorder.phase(Phase.DENOISE_1):
        yield recorder
    os.close(descriptor)


@pytest.mark.benchmark(group="recorder")
@pytest.mark.parametrize("on", [False, True], ids=["off", "on"])
def test_steps_with_recorder_and_sampler(measure, sizes: Sizes, on: bool) -> None:
    rows, width = sizes.linear
    x, w = noise(rows, width), noise(width, width, seed=1) * width**-0.5
    mx.eval(w)
    steps = 20 if sizes.name != "smoke" else 2

    with recorded(on) as recorder:

        def run() -> mx.array:
            out = x
            for index in range(steps):
                if recorder is None:
                    out = out @ w
                    mx.eval(out)
                else:
                    with recorder.step(stage=1, sigma=1 - index / steps, forwards=1):
                        out = out @ w
                        mx.eval(out)
            return out

        assert measure(run).shape == x.shape


@pytest.mark.benchmark(group="matrix")
def test_loading_a_matrix(measure, tmp_path: Path, count: int) -> None:
    cases = "".join(
        f"- {{name: case-{index}, title: Case {index}, steps: {8 + index % 40}, seed: {index}, size: 768x512}}\n"
        for index in range(count)
    )
    path = tmp_path / "many.yaml"
    path.write_text(f"matrix: many\ntitle: Many\nprompt: A beaver\ndefaults: {{model: dev}}\ncases:\n{cases}")
    assert len(measure(lambda: load(path)).cases) == count


@pytest.mark.benchmark(group="report")
def test_rendering_a_report(measure, tmp_path: Path, count: int) -> None:
    cases = many(count)
    records = [make_record(case, number, scale=1 + number % 13 / 5) for number, case in enumerate(cases, start=1)]
    run = store_run(tmp_path, records[:1], make_matrix(cases))
    run = RunFolder(run.path, run.record, tuple(records))
    page = measure(lambda: write(run, tmp_path / "report"), rounds=2 if count > 100 else None)
    assert page.read_text().count("| <a href=") >= count


@pytest.mark.benchmark(group="start")
def test_showing_the_help(measure) -> None:
    command = [sys.executable, "-m", "ltxbench", "--help"]
    assert b"Usage" in measure(lambda: subprocess.run(command, check=True, capture_output=True)).stdout
