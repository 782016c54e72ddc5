"""From prompt to frames: `generate` on a complete set of files against the official components on the same files."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.matrix.case import Case, LoraUse, Model
from ltxbench.run.engine import GenerateJob
from ltxbench.run.mlx_pipeline import generate
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.tiny.store import ensure_tiny
from tests.parity.conftest import Check
from tests.parity.reference_pipeline import run
from tests.silent import SilentRecorder

pytestmark = pytest.mark.parity

PROMPT = "A heron stands in shallow water; mist drifts over the reeds."
NEGATIVE = "blurred"

CASES = {
    "distilled": {},
    "distilled, 30 fps, 17 frames": {"fps": 30, "frames": 17, "width": 96, "height": 160},
    "dev, CFG": {"model": Model.DEV, "steps": 10, "guidance": 4.0},
    "dev, CFG, STG, rescale": {
        "model": Model.DEV,
        "steps": 10,
        "guidance": 3.0,
        "stg": 1.0,
        "stg_blocks": (1,),
        "rescale": 0.7,
    },
    "two-stage, distilled": {"two_stage": True, "width": 192},
    "two-stage, LoRA in stage 2": {
        "model": Model.DEV,
        "two_stage": True,
        "distilled_lora": LoraUse.STAGE_2,
        "steps": 10,
        "guidance": 3.0,
    },
    "two-stage, LoRA in both": {"model": Model.DEV, "two_stage": True, "distilled_lora": LoraUse.ALL},
    "LoRA at 0.6": {"model": Model.DEV, "distilled_lora": LoraUse.ALL, "lora_strength": 0.6},
    "tiles in space": {"width": 704, "height": 64},
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> WeightFiles:
    return ensure_tiny(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("name", CASES)
def test_the_frames_are_the_official_pipelines(name: str, files: WeightFiles, check: Check) -> None:
    fields: dict[str, Any] = {"width": 128, "height": 128, "frames": 9, "seed": 11, **CASES[name]}
    case = Case(name="case", title="Case", **fields)
    job = GenerateJob(case=case, prompt=PROMPT, negative_prompt=NEGATIVE, weights=files)

    out = generate(job, SilentRecorder(), mx.float32)
    reference = run(case, PROMPT, NEGATIVE, files)

    check("pipeline, final latent", name, out.latent, reference.latent, 1e-4)
    assert out.frames.shape == reference.frames.shape == (case.frames, case.height, case.width, 3)
    difference = np.abs(out.frames.astype(int) - reference.frames.astype(int))
    assert (difference <= 1).mean() >= 0.999
    assert reference.frames.std() > 5, "a picture without contrast would prove nothing"
