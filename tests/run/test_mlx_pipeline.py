"""The MLX pipeline on tiny weights: what is thrown away and what is not timed changes nothing that is kept."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.matrix.case import Case, LoraUse, Model
from ltxbench.run.engine import Generated, GenerateJob, InvalidOutput
from ltxbench.run.mlx_pipeline import generate
from ltxbench.run.records import Phase
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.header import read_header
from ltxbench.weights.tiny.store import ensure_tiny
from tests.silent import SilentRecorder

CASES = {
    "one stage, guided": Case(
        name="a", title="A", model=Model.DEV, steps=3, guidance=3.0, width=64, height=64, frames=9
    ),
    "two stages": Case(
        name="b",
        title="B",
        model=Model.DEV,
        distilled_lora=LoraUse.ALL,
        two_stage=True,
        steps=8,
        width=128,
        height=128,
        frames=9,
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> WeightFiles:
    return ensure_tiny(tmp_path_factory.mktemp("tiny"))


def make(files: WeightFiles, case: Case, recorder: SilentRecorder, **asked: bool) -> Generated:
    job = GenerateJob(case=case, prompt="A heron.", negative_prompt="", weights=files, **asked)
    return generate(job, recorder, mx.float32)


@pytest.mark.parametrize("name", CASES)
def test_a_warm_up_is_thrown_away(name: str, files: WeightFiles) -> None:
    case = CASES[name]
    plain, warm = SilentRecorder(), SilentRecorder()
    without, with_warm_up = make(files, case, plain), make(files, case, warm, warm_up=True)
    np.testing.assert_array_equal(without.frames, with_warm_up.frames)
    assert plain.told == warm.told
    assert Phase.WARM_UP not in plain.phases
    cold = [stage for phase, stage in warm.steps if phase is Phase.WARM_UP]
    assert cold == [stage.index for stage in case.stages]
    assert [step for step in warm.steps if step[0] is not Phase.WARM_UP] == plain.steps
    # Text, its projection, each stage, the upscaler and the decoder: whatever may compile.
    assert warm.phases.count(Phase.WARM_UP) == 3 + len(case.stages) + case.two_stage
    assert [phase for phase in warm.phases if phase is not Phase.WARM_UP] == plain.phases


@pytest.mark.parametrize("name", CASES)
def test_steps_that_are_not_awaited_one_by_one_end_at_the_same_latent(name: str, files: WeightFiles) -> None:
    stepped, unstepped = (make(files, CASES[name], SilentRecorder(stepped=awaited)).latent for awaited in (True, False))
    assert stepped is not None
    np.testing.assert_array_equal(stepped, unstepped)


def test_the_engine_states_its_arithmetic_and_what_it_started_from(files: WeightFiles) -> None:
    recorder = SilentRecorder()
    make(files, CASES["two stages"], recorder)
    for fact in ("flops_encode", "flops_decode", "flops_per_step_stage_2"):
        assert isinstance(recorder.told[fact], int)
    hashes = [recorder.told[f] for f in ("noise_sha256", "noise_sha256_stage_2", "context_sha256", "latent_sha256")]
    assert len(set(hashes)) == 4


def overflowing(file: Path, folder: Path, tensor: str) -> Path:
    """A copy whose `tensor` is as large as bfloat16 can hold: finite, and what is computed with it is not."""
    header = read_header(file)
    (stored,) = (each for each in header.tensors if each.name == tensor)
    data = bytearray(file.read_bytes())
    begin = header.data_start + stored.start
    data[begin : begin + stored.end - stored.start] = b"\x7f\x7f" * ((stored.end - stored.start) // 2)
    copy = folder / file.name
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize(
    ("which", "tensor", "told"),
    [
        ("dev", "model.diffusion_model.proj_out.weight", r"stage 1: .* in denoising step 0"),
        ("upscaler", "final_conv.weight", "the latent became NaN or infinite in upscaling"),
        ("dev", "vae.decoder.conv_in.conv.weight", "decoding made NaN or infinity, from frame 0 on"),
    ],
)
def test_what_is_no_number_ends_the_case_with_the_place_where_it_began(
    which: str, tensor: str, told: str, files: WeightFiles, tmp_path: Path
) -> None:
    damaged = overflowing(getattr(files, which), tmp_path, tensor)
    with pytest.raises(InvalidOutput, match=told):
        make(files.model_copy(update={which: damaged}), CASES["two stages"], SilentRecorder())
