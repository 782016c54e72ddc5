"""What must hold between the settings of one case, and what is allowed but deserves a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ltxbench.matrix.case import SPATIAL_COMPRESSION, Case, LoraUse, Model, Quantization, Schedule
from ltxbench.matrix.kinds import nearest
from ltxbench.matrix.problems import Mark, Mistake
from ltxbench.matrix.schema import MAX_SIDE, Fields

DISTILLED_STEPS = 8
"""Length of the published list of noise levels. Official: ltx_pipelines.utils.constants."""
DEV_STEPS = 40
DEV_GUIDANCE = 3.0
"""The official defaults of the dev model."""
TWO_STAGE_MULTIPLE = 64
MAX_TOKENS = 1_000_000
"""Latent cells of a video: twice what 10 s of 3840x2176 at 50 frames a second need."""

UNREFINED_WARNING = (
    "Stage 2 refines in three steps along the distilled noise levels, which dev weights have not been trained for: "
    "without the distilled LoRA expect grain or a lattice in the picture."
)


class Meaning(NamedTuple):
    """A setting that only some cases have a use for."""

    applies: Callable[[Case], bool]
    needs: str


_HAS_LORA = Meaning(lambda case: case.distilled_lora is not LoraUse.NONE, "a case with `distilled_lora`")

MEANINGS = {
    "lora_strength": _HAS_LORA,
    "stg_blocks": Meaning(lambda case: case.stg > 0, "`stg` above 0"),
    "rescale": Meaning(lambda case: case.guidance > 1 or case.stg > 0, "`guidance` above 1 or `stg` above 0"),
    "quantized_layers": Meaning(
        lambda case: case.quantization is not Quantization.BF16, "`quantization` qint8 or int4"
    ),
    "upscale_adain": Meaning(lambda case: case.two_stage, "`two_stage: true`"),
    "schedule": Meaning(
        lambda case: {
            Schedule.OFFICIAL: True,
            Schedule.TIME_SHIFTED: case.distilled_schedule,
            Schedule.TOKEN_COUNT: not case.distilled_schedule,
        }[case.schedule],
        "the distilled schedule for time-shifted, and dev's own for token-count",
    ),
}


def resolve(name: str, title: str, defaults: Fields, own: Fields) -> Case:
    """The case with every default filled in.

    Steps and guidance that nobody gave follow the schedule. Defaults of the file that have no meaning for this case
    are left out, so that two cases which compute the same compare equal.
    """
    values = {key: located.value for key, located in {**defaults, **own}.items()}
    lora, model = values.get("distilled_lora"), values.get("model", Model.DISTILLED)
    if model is Model.DEV and lora is not LoraUse.ALL:
        values = {"steps": DEV_STEPS, "guidance": DEV_GUIDANCE, **values}
    case = Case.model_validate({"name": name, "title": title, **values})
    moot = {key for key in defaults.keys() - own.keys() if key in MEANINGS and not MEANINGS[key].applies(case)}
    if not moot:
        return case
    kept = {key: value for key, value in values.items() if key not in moot}
    return Case.model_validate({"name": name, "title": title, **kept})


def mistakes(case: Case, own: Fields, given: Fields, at: Mark) -> Iterator[Mistake]:
    """What the case must not ask for.

    `own` are the settings that the case itself gives, `given` those and the file's defaults, `at` is the case's place.
    """

    def mistake(key: str, message: str) -> Mistake:
        return Mistake(given[key].at if key in given else at, f"case `{case.name}`: {message}")

    if case.model is Model.DISTILLED and case.distilled_lora is not LoraUse.NONE:
        yield mistake(
            "distilled_lora",
            "`distilled_lora` turns dev weights into distilled ones, and `model` is distilled already; "
            "use `model: dev`, or `distilled_lora: false`",
        )
    if case.distilled_lora is LoraUse.STAGE_2 and not case.two_stage:
        yield mistake(
            "distilled_lora",
            "`distilled_lora: stage-2` needs `two_stage: true`; without a second stage use true or false",
        )
    if case.distilled_schedule and case.steps != DISTILLED_STEPS:
        yield mistake(
            "steps",
            f"`steps` must be {DISTILLED_STEPS}, not {case.steps}: the distilled schedule is a fixed list of "
            f"{DISTILLED_STEPS} noise levels; other numbers need `model: dev` without the LoRA in stage 1",
        )
    if case.two_stage:
        for key, pixels in (("width", case.width), ("height", case.height)):
            if pixels % TWO_STAGE_MULTIPLE:
                near = nearest(pixels, TWO_STAGE_MULTIPLE, 0, TWO_STAGE_MULTIPLE, MAX_SIDE)
                yield mistake(
                    key,
                    f"`{key}` must be divisible by {TWO_STAGE_MULTIPLE} with `two_stage: true`, since stage 1 runs at "
                    f"half of it, not {pixels}; {near}",
                )
    if case.stg > 0 and not case.stg_blocks:
        yield mistake(
            "stg", "`stg` above 0 needs `stg_blocks`, such as [29], the block that the official preset perturbs"
        )
    tokens = case.latent_frames * (case.width // SPATIAL_COMPRESSION) * (case.height // SPATIAL_COMPRESSION)
    if tokens > MAX_TOKENS:
        key = max((key for key in ("width", "height", "frames") if key in given), key=lambda key: given[key].at)
        yield mistake(
            key,
            f"{case.width}x{case.height} at {case.frames} frames is {tokens:,} latent tokens; "
            f"at most {MAX_TOKENS:,} are allowed",
        )
    for key in own.keys() & MEANINGS.keys():
        if own[key].value != Case.model_fields[key].default and not MEANINGS[key].applies(case):
            yield mistake(key, f"`{key}` has no effect here; it needs {MEANINGS[key].needs}")


def warnings(case: Case) -> Iterator[str]:
    """What is allowed, and likely not what it seems."""
    if case.two_stage and case.model is Model.DEV and case.distilled_lora is LoraUse.NONE:
        yield UNREFINED_WARNING
    if case.distilled_schedule and (case.guidance > 1 or case.stg > 0):
        yield (
            "Distilled weights have guidance built in: guidance above 1 or STG multiplies the cost of a step and tends "
            "to oversaturate the picture."
        )
