from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.matrix import find, load, reproduce_command, twin
from ltxbench.matrix.case import Matrix
from ltxbench.matrix.rules import UNREFINED_WARNING

FOLDER = Path(__file__).parents[2] / "matrices"

PUBLISHED = [
    ("distilled", "Distilled", "single-stage", "distilled", "8", 1.0, "768x512"),
    ("dev", "Dev", "single-stage", "dev", "40", 4.0, "768x512"),
    ("dev-lora", "Dev + LoRA", "single-stage", "dev + distilled LoRA", "8", 1.0, "768x512"),
    ("distilled-upscaler", "Distilled + Upscaler", "two-stage", "distilled", "8+3", 1.0, "384x256 -> 768x512"),
    ("dev-upscaler", "Dev + Upscaler", "two-stage", "dev", "40+3", 4.0, "384x256 -> 768x512"),
    ("two-stage", "Dev + LoRA + Upscaler", "two-stage", "dev + distilled LoRA", "8+3", 1.0, "384x256 -> 768x512"),
    ("dev-1024", "Dev 1024", "high-resolution-quantization", "dev", "40", 4.0, "1024x576"),
    ("distilled-qint8", "Distilled qint8", "high-resolution-quantization", "distilled (8-bit)", "8", 1.0, "768x512"),
]


@pytest.fixture(scope="module")
def beaver_dam() -> Matrix:
    return load(find("beaver-dam", FOLDER))


@pytest.fixture(scope="module")
def smoke() -> Matrix:
    return load(find("smoke", FOLDER))


def test_beaver_dam_has_the_eight_published_cases(beaver_dam: Matrix) -> None:
    assert [
        (
            case.name,
            case.title,
            case.group,
            case.model_label,
            case.steps_label,
            case.guidance,
            case.resolution_label,
        )
        for case in beaver_dam.cases
    ] == PUBLISHED


def test_beaver_dam_has_the_published_prompt_and_flags(beaver_dam: Matrix) -> None:
    assert beaver_dam.prompt == (
        "A beaver building a dam in a forest stream, detailed fur, water splashing, natural lighting"
    )
    shared = beaver_dam.shared
    assert (shared["seed"], shared["frames"], shared["fps"]) == (42, 25, 24)
    assert beaver_dam.enhance
    assert beaver_dam.stills == (12,)
    assert [group.title for group in beaver_dam.groups] == [
        "Single-stage",
        "Two-stage (with 2x spatial upscaler)",
        "High resolution / Quantization",
    ]


def test_beaver_dam_stores_its_enhanced_prompt_as_one_paragraph(beaver_dam: Matrix) -> None:
    assert beaver_dam.enhanced is not None
    assert beaver_dam.conditioning == beaver_dam.enhanced
    assert "\n" not in beaver_dam.enhanced
    assert 120 <= len(beaver_dam.enhanced.split()) <= 180


def test_beaver_dam_warns_about_dev_upscaler_alone(beaver_dam: Matrix) -> None:
    assert beaver_dam.warnings == (f"dev-upscaler: {UNREFINED_WARNING}",)
    assert [case.name for case in beaver_dam.cases if case.warning] == ["dev-upscaler"]
    assert [case.name for case in beaver_dam.cases if case.notes] == ["distilled-qint8"]
    assert all(case.summary for case in beaver_dam.cases)


def test_the_quantized_beaver_has_its_bf16_twin(beaver_dam: Matrix) -> None:
    assert twin(beaver_dam.cases[-1], beaver_dam.cases) == beaver_dam.cases[0]
    assert reproduce_command(beaver_dam, beaver_dam.cases[-1], "tiny").endswith("--case distilled-qint8 --weights tiny")


def test_beaver_dam_explains_its_two_subjects(beaver_dam: Matrix) -> None:
    assert [section.title for section in beaver_dam.sections] == [
        "Why two-stage requires distilled LoRA",
        "On-the-fly quantization",
    ]


def test_smoke_is_small(smoke: Matrix) -> None:
    assert all(case.frames == 9 for case in smoke.cases)
    assert max(stage.tokens_per_latent_frame * 2 for case in smoke.cases for stage in case.stages) <= 32


def test_smoke_passes_through_every_phase(smoke: Matrix) -> None:
    assert smoke.conditioning is None, "the prompt is enhanced"
    assert any(case.two_stage and case.distilled_schedule for case in smoke.cases)
    assert any(case.needs_stage_2_reload for case in smoke.cases)
    assert any(case.stages[0].forwards == 3 for case in smoke.cases)
    assert {case.quantization.value for case in smoke.cases} == {"bf16", "qint8", "int4"}
    assert smoke.warnings == ()
