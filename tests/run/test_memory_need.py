"""The memory that a case needs, told before it starts."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import pytest

from ltxbench.errors import ResourceError
from ltxbench.matrix.case import Case, LoraUse, Model, Quantization, Tiling
from ltxbench.run import mlx_survey
from ltxbench.run.memory_need import CaseNeed, PartSizes, Survey, check, decoding_bytes, estimate
from ltxbench.run.mlx_survey import measure, survey
from ltxbench.run.records import Phase
from ltxbench.weights.files import RandomWeights
from ltxbench.weights.resolve import resolve
from ltxbench.weights.source import RandomSource

GB = 10**9
FULL = PartSizes(
    text_encoder_bytes=6_619_494_912,
    hidden_states_bytes=385_351_680,
    projection_bytes=2_154_009_600,
    transformer_bytes=26_083_041_536,
    loading_bytes=270_000_000,
    text_bytes=805_306_368,
    width=4096,
    upscaler_bytes=995_735_858,
    upscaler_width=1024,
    decoder_bytes=1_056_761_440,
    decoder_width=128,
    itemsize=2,
    convolution_copies=6,
)


def case(**fields: object) -> Case:
    return Case.model_validate({"name": "a", "title": "A", **fields})


def test_the_largest_phase_decides():
    assert estimate(case(), FULL).phase is Phase.DENOISE_1
    small = replace(FULL, transformer_bytes=GB)
    assert estimate(case(), small).phase is Phase.ENCODE
    lean = replace(small, text_encoder_bytes=0, projection_bytes=0, hidden_states_bytes=0, text_bytes=0)
    assert estimate(case(frames=121, tiling=Tiling.NONE), lean).phase is Phase.DECODE


def test_the_estimate_is_no_less_than_the_weights_and_no_wild_guess():
    needed = estimate(case(), FULL).needed_bytes
    assert FULL.transformer_bytes + FULL.text_bytes < needed < 1.15 * FULL.transformer_bytes


def test_guidance_size_and_length_cost_more():
    plain = estimate(case(), FULL).needed_bytes
    assert estimate(case(guidance=4.0), FULL).needed_bytes > plain + FULL.text_bytes
    assert estimate(case(width=1024, height=576), FULL).needed_bytes > plain
    assert estimate(case(frames=121), FULL).needed_bytes > plain


def test_two_stages_have_the_upscaler_beside_the_transformer():
    thrifty = replace(FULL, text_bytes=0, loading_bytes=0)
    assert estimate(case(two_stage=True), thrifty).phase is Phase.UPSCALE
    updated = replace(FULL, text_bytes=0, loading_bytes=3 * GB)
    assert estimate(case(two_stage=True, distilled_lora=LoraUse.STAGE_2), updated).phase in (Phase.LORA, Phase.LOAD)


def test_tiles_bound_what_decoding_takes():
    whole = decoding_bytes(case(width=1536, height=1024, frames=121, tiling=Tiling.NONE), FULL)
    tiled = decoding_bytes(case(width=1536, height=1024, frames=121), FULL)
    assert tiled < whole / 3
    short = case(width=256, height=256, frames=9)
    assert decoding_bytes(short, FULL) == decoding_bytes(short.model_copy(update={"tiling": Tiling.NONE}), FULL)


def needs(**gigabytes: float) -> tuple[CaseNeed, ...]:
    return tuple(
        CaseNeed(case=name, needed_bytes=round(size * GB), phase=Phase.DENOISE_1) for name, size in gigabytes.items()
    )


def test_too_little_memory_is_told_with_both_figures_and_the_cases_that_fit():
    with pytest.raises(ResourceError) as caught:
        check(Survey(needs=needs(dev=29.7, small=16.2, smaller=9.0), available_bytes=24 * GB))
    assert caught.value.message == "too little memory: 24.0 GB are there, needed are: dev about 29.7 GB (denoise-1)"
    assert "--case small --case smaller" in str(caught.value.hint)
    assert "--no-memory-check" in str(caught.value.hint)


def test_where_no_case_fits_the_advice_is_another_one():
    with pytest.raises(ResourceError) as caught:
        check(Survey(needs=needs(dev=29.7), available_bytes=8 * GB))
    assert "int4" in str(caught.value.hint)


@pytest.mark.parametrize("available", [None, 30 * GB])
def test_enough_memory_and_an_unknown_amount_let_the_run_begin(available):
    check(Survey(needs=needs(dev=29.7), available_bytes=available))


def test_full_size_parts_are_measured_without_being_loaded():
    source = RandomSource(RandomWeights(seed=1, size="19b"))
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    sizes = measure(case(two_stage=True), source, mx.bfloat16)
    assert mx.get_peak_memory() - before < 50_000_000
    loading, copies = FULL.loading_bytes, FULL.convolution_copies
    assert replace(sizes, loading_bytes=loading, convolution_copies=copies) == FULL


def test_quantized_matrices_are_counted_in_their_bits():
    source = RandomSource(RandomWeights(seed=1, size="19b"))
    eight = measure(case(quantization=Quantization.QINT8), source, mx.bfloat16).transformer_bytes
    four = measure(case(quantization=Quantization.INT4), source, mx.bfloat16).transformer_bytes
    assert eight == pytest.approx(13.86 * GB, rel=0.01)
    assert four == pytest.approx(7.34 * GB, rel=0.01)


def test_a_survey_names_every_case_and_what_there_is(monkeypatch):
    monkeypatch.setattr(mlx_survey, "available_bytes", lambda: 5 * GB)
    cases = [case(), case(model=Model.DEV).model_copy(update={"name": "b"})]
    found = survey(cases, resolve("random:small", cases), mx.float32)
    assert [need.case for need in found.needs] == ["a", "b"]
    assert found.available_bytes == 5 * GB


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"device_name": "GPU", "total_memory": 80, "free_memory": 70}, 70),
        ({"device_name": "Apple", "memory_size": 96, "max_recommended_working_set_size": 72}, 72),
        ({"device_name": "GPU"}, None),
    ],
)
def test_a_gpu_s_own_figure_is_taken(monkeypatch, told, expected):
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(mx, "device_info", lambda: told)
    assert mlx_survey.available_bytes() == expected


def test_the_system_says_what_a_cpu_may_use():
    available = mlx_survey.available_bytes()
    assert available is not None
    assert 1_000_000 < available < 10**14
