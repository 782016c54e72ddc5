from __future__ import annotations

import pytest

from ltxbench.matrix.case import LoraUse, Schedule
from ltxbench.matrix.rules import UNREFINED_WARNING
from tests.matrix.reading import HEAD, case, cases, complaint, matrix


def refusal(settings: str) -> str:
    return complaint(f"cases: [{{name: a, {settings}}}]")


@pytest.mark.parametrize("frames", [1, 9, 25, 121, 2049])
def test_frames_of_the_form_8n_plus_1_are_accepted(frames: int) -> None:
    assert case(f"frames: {frames}, size: 64x64").frames == frames


@pytest.mark.parametrize("frames", [2, 8, 10, 24, 26, 120])
def test_other_frame_counts_are_refused(frames: int) -> None:
    assert "must be 8n+1" in refusal(f"frames: {frames}")


def test_single_stage_sizes_are_multiples_of_32() -> None:
    assert case("size: 96x32").width == 96
    assert "divisible by 32" in refusal("height: 48")


def test_two_stage_sizes_are_multiples_of_64() -> None:
    assert case("two_stage: true, size: 128x64").resolution_label == "64x32 -> 128x64"
    assert "`height` must be divisible by 64" in refusal("two_stage: true, height: 96")


def test_a_default_size_that_two_stage_cannot_halve_is_reported_where_it_stands() -> None:
    message = complaint("defaults: {size: 96x96}\ncases: [{name: ok}, {name: a, two_stage: true, width: 128}]")
    assert message.startswith("m.yaml:3:18: case `a`: `height` must be divisible by 64")


def test_the_built_in_size_is_reported_at_the_case() -> None:
    assert case("two_stage: true").width == 768


@pytest.mark.parametrize("settings", ["model: distilled", "model: dev, distilled_lora: true"])
def test_the_distilled_schedule_has_eight_steps(settings: str) -> None:
    assert (case(settings).steps, case(settings).guidance) == (8, 1.0)
    assert refusal(f"{settings}, steps: 7").endswith(
        "case `a`: `steps` must be 8, not 7: the distilled schedule is a fixed list of 8 noise levels; "
        "other numbers need `model: dev` without the LoRA in stage 1"
    )


@pytest.mark.parametrize("settings", ["model: dev", "model: dev, two_stage: true, distilled_lora: stage-2"])
def test_dev_defaults_to_the_official_forty_steps_and_guidance_3(settings: str) -> None:
    assert (case(settings).steps, case(settings).guidance) == (40, 3.0)
    assert case(f"{settings}, steps: 5, guidance: 2").steps == 5


def test_steps_in_the_defaults_hold_for_distilled_cases_too_and_are_refused_there() -> None:
    assert complaint("defaults: {steps: 40}\ncases: [{name: a}, {name: b, model: dev}]").startswith(
        "m.yaml:3:19: case `a`: `steps` must be 8, not 40"
    )


@pytest.mark.parametrize("use", ["true", "stage-2"])
def test_the_distilled_lora_does_not_go_on_distilled_weights(use: str) -> None:
    assert "`model` is distilled already; use `model: dev`" in refusal(f"two_stage: true, distilled_lora: {use}")


def test_a_lora_in_stage_2_needs_a_stage_2() -> None:
    assert "`distilled_lora: stage-2` needs `two_stage: true`" in refusal("model: dev, distilled_lora: stage-2")
    assert case("model: dev, two_stage: true, distilled_lora: stage-2").distilled_lora is LoraUse.STAGE_2


def test_two_stage_dev_without_the_lora_is_allowed_and_warned_about() -> None:
    result = matrix(HEAD + "cases: [{name: a, model: dev, two_stage: true}]")
    assert result.warnings == (f"a: {UNREFINED_WARNING}",)
    assert result.cases[0].warning == UNREFINED_WARNING


def test_the_authors_own_warning_stays() -> None:
    result = matrix(HEAD + "cases: [{name: a, model: dev, two_stage: true, warning: mine}]")
    assert result.cases[0].warning == "mine"
    assert len(result.warnings) == 1


@pytest.mark.parametrize("lora", ["true", "stage-2"])
def test_two_stage_dev_with_the_lora_is_not_warned_about(lora: str) -> None:
    assert matrix(HEAD + f"cases: [{{name: a, model: dev, two_stage: true, distilled_lora: {lora}}}]").warnings == ()


@pytest.mark.parametrize("settings", ["guidance: 3", "stg: 1, stg_blocks: [29]"])
def test_guiding_a_distilled_schedule_is_warned_about(settings: str) -> None:
    assert "guidance built in" in (case(settings).warning or "")
    assert case(f"{settings}, model: dev").warning is None


def test_stg_needs_blocks() -> None:
    assert "`stg` above 0 needs `stg_blocks`" in refusal("model: dev, stg: 1")


def test_the_size_of_a_video_is_bounded() -> None:
    assert refusal("width: 8192, height: 8192, frames: 2049").startswith("m.yaml:3:54: case `a`: 8192x8192 at 2049 fra")
    assert case("size: 3840x2176, frames: 497").frames == 497


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ("lora_strength: 0.5", "a case with `distilled_lora`"),
        ("model: dev, stg_blocks: [29]", "`stg` above 0"),
        ("rescale: 0.7", "`guidance` above 1 or `stg` above 0"),
        ("quantized_layers: blocks", "`quantization` qint8 or int4"),
        ("upscale_adain: 1", "`two_stage: true`"),
        ("schedule: token-count", "the distilled schedule for time-shifted, and dev's own for token-count"),
        ("schedule: time-shifted, model: dev", "the distilled schedule for time-shifted"),
    ],
)
def test_a_setting_without_effect_is_refused_in_a_case(settings: str, needs: str) -> None:
    message = refusal(settings)
    assert "has no effect here; it needs " in message
    assert needs in message


def test_a_default_without_effect_is_left_out_of_the_case() -> None:
    body = "defaults: {schedule: time-shifted, upscale_adain: 1, quantized_layers: blocks}\ncases: "
    plain, dev, full = cases(
        body + "[{name: a}, {name: b, model: dev}, {name: c, two_stage: true, quantization: qint8}]"
    )
    assert plain.model_copy(update={"schedule": Schedule.OFFICIAL}) == case("title: a")
    assert (dev.schedule, dev.upscale_adain) == (Schedule.OFFICIAL, 0)
    assert (full.schedule, full.upscale_adain, full.quantized_layers) == (Schedule.TIME_SHIFTED, 1, "blocks")


def test_a_neutral_value_may_be_written_out() -> None:
    assert case("upscale_adain: 0, lora_strength: 1, rescale: 0.0, stg_blocks: []") == case("title: a")


def test_the_official_preset_of_dev_can_be_written() -> None:
    preset = case("model: dev, guidance: 3, stg: 1, stg_blocks: [29], rescale: 0.7")
    assert preset.stages[0].forwards == 3


def test_overrides_beat_defaults_key_by_key() -> None:
    wide, tall = cases("defaults: {size: 768x512, seed: 7}\ncases: [{name: a, width: 1024}, {name: b, size: 64x96}]")
    assert (wide.width, wide.height, wide.seed) == (1024, 512, 7)
    assert (tall.width, tall.height) == (64, 96)


def test_the_still_is_frame_12_or_the_middle_of_a_short_video() -> None:
    assert matrix(HEAD + "cases: [{name: a}]").stills == (12,)
    assert matrix(HEAD + "cases: [{name: a}, {name: b, frames: 9}]").stills == (4,)
    assert matrix(HEAD + "cases: [{name: a, frames: 1}]").stills == (0,)
    assert matrix(HEAD + "cases: [{name: a}]\nstills: [24, 0]").stills == (0, 24)
    assert matrix(HEAD + "cases: [{name: a}]\nstills: []").stills == ()


def test_a_stored_text_switches_enhancement_on() -> None:
    stored = matrix(HEAD + "cases: [{name: a}]\nenhanced: >\n  richer\n  text\n")
    assert (stored.enhance, stored.enhanced, stored.conditioning) == (True, "richer text", "richer text")
    assert matrix(HEAD + "enhance: true\ncases: [{name: a}]").conditioning is None
    assert matrix(HEAD + "cases: [{name: a}]").conditioning == "p"


def test_what_all_cases_share_is_listed() -> None:
    shared = matrix(HEAD + "cases: [{name: a}, {name: b, seed: 1}]").shared
    assert shared["frames"] == 25
    assert "seed" not in shared
    assert not {"name", "title"} & shared.keys()


def test_loras_are_paths_or_paths_with_a_strength() -> None:
    plain, strong = case("loras: [a.safetensors, {path: b.safetensors, strength: -0.5}]").loras
    assert (plain.path, plain.strength) == ("a.safetensors", 1.0)
    assert (strong.path, strong.strength) == ("b.safetensors", -0.5)
