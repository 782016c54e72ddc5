"""From what a source says about a case to a Case of ltxbench; what it leaves open is named."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PureWindowsPath

from pydantic import ValidationError

from ltxbench.importing.found import Found
from ltxbench.matrix import rules
from ltxbench.matrix.case import Case, ExtraLora, LoraUse, Model, Quantization
from ltxbench.matrix.names import MAX_LENGTH, objection

REFINING_STEPS = 3  # of the second stage, in the program as in the official pipeline
DEV_STEPS, DISTILLED_STEPS = 40, 8
DEV_GUIDANCE = 4.0
"""The program's own defaults (LTXModel.defaultSteps and defaultGuidance of version 0.1)."""
SIDE, FRAMES = 512, 25
MAX_TITLE = 200


class NotRepresentable(Exception):
    """Asks for something that no Case can say; the message is a clause."""


@dataclass(frozen=True)
class Reading:
    case: Case
    assumed: tuple[str, ...]
    """Clauses: what the source does not say, and what was taken instead."""


def to_case(found: Found, name: str) -> Reading:
    """Raises NotRepresentable."""
    settings, summary, assumed = found.settings, found.summary, list[str]()
    table_model = summary.get("model", "").casefold()
    lora = settings.distilled_lora or ("lora" in table_model and "distilled" in table_model)
    model = Model.DEV if lora else _model(settings.model or table_model)
    undistilled = model is Model.DEV and not lora
    sizes = _sizes(found)
    two_stage = bool(settings.two_stage or len(sizes) > 1 or len(found.profile.stages) > 1)
    width, height = (
        settings.width or (sizes[-1][0] if sizes else None),
        settings.height or (sizes[-1][1] if sizes else None),
    )
    if width is None or height is None:
        width, height = width or SIDE, height or SIDE
        assumed.append(f"size {width}x{height}")
    frames, seed = settings.frames, settings.seed
    if frames is None:
        frames = FRAMES
        assumed.append(f"{FRAMES} frames")
    if seed is None:
        seed = 0
        assumed.append("seed 0 in place of one that is not told")
    steps = settings.steps or _steps(found, two_stage)
    if steps is None:
        steps = DEV_STEPS if undistilled else DISTILLED_STEPS
        assumed.append(f"{steps} steps")
    guidance = settings.guidance if settings.guidance is not None else _number(summary.get("guidance"))
    if guidance is None:
        guidance = DEV_GUIDANCE if undistilled else 1.0
        if undistilled:
            assumed.append(f"guidance {guidance}")
    try:
        case = Case(
            name=name,
            title=found.title[:MAX_TITLE],
            model=model,
            distilled_lora=LoraUse.ALL if lora else LoraUse.NONE,
            loras=(ExtraLora(path=settings.lora, strength=settings.lora_scale or 1.0),) if settings.lora else (),
            two_stage=two_stage,
            steps=steps,
            guidance=max(1.0, guidance),
            stg=settings.stg or 0.0,
            stg_blocks=tuple(int(block) for block in re.findall(r"\d{1,3}", settings.stg_blocks or ""))
            if settings.stg
            else (),
            rescale=settings.rescale or 0.0,
            width=width,
            height=height,
            frames=frames,
            seed=seed,
            quantization=_quantization(settings.quantization, table_model),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise NotRepresentable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    warned = " ".join(rules.warnings(case))
    return Reading(case.model_copy(update={"warning": warned or None}), tuple(assumed))


def _model(words: str) -> Model:
    """The program's default is distilled."""
    return Model.DEV if words.casefold().startswith("dev") else Model.DISTILLED


def _quantization(option: str | None, table_model: str) -> Quantization:
    if option is not None:
        try:
            return Quantization(option.casefold())
        except ValueError:
            known = ", ".join(kind.value for kind in Quantization)
            raise NotRepresentable(f"its precision {option!r} is none of {known}") from None
    bits = re.search(r"\b(\d)-bit", table_model)
    return {"8": Quantization.QINT8, "4": Quantization.INT4}.get(bits[1] if bits else "", Quantization.BF16)


def _sizes(found: Found) -> list[tuple[int, int]]:
    """One a stage."""
    table = re.findall(r"(\d{1,5})\s*[x×]\s*(\d{1,5})", found.summary.get("resolution", ""))
    if table:
        return [(int(width), int(height)) for width, height in table]
    return [stage.size for stage in found.profile.stages if stage.size is not None]


def _steps(found: Found, two_stage: bool) -> int | None:
    """Of the first stage."""
    if stages := [stage.steps for stage in found.profile.stages if stage.number == 1 and stage.steps]:
        return stages[0]
    if table := re.match(r"\d{1,5}", found.summary.get("steps", "")):
        return int(table.group())
    count = found.profile.step_count
    if count is None:
        return None
    return count - REFINING_STEPS if two_stage and count > REFINING_STEPS else count or None


def _number(text: str | None) -> float | None:
    match = re.match(r"\d+(?:\.\d+)?", text or "")
    return float(match.group()) if match else None


def name_of(found: Found, taken: Collection[str]) -> str:
    """The video's name without its ending, so that runs of one matrix can be compared; else the title's; unique."""
    candidates = [PureWindowsPath(found.settings.output or "").stem, slug(found.title), f"case-{found.number}"]
    used = {name.casefold() for name in taken}
    free = (name for name in candidates if objection(name) is None and name.casefold() not in used)
    return next(free, None) or next(
        name for count in range(2, len(used) + 3) if (name := f"case-{found.number}-{count}").casefold() not in used
    )


def slug(text: str) -> str:
    """`Dev + LoRA` becomes `dev-lora`; empty where nothing is left."""
    words = re.findall(r"[a-z0-9]+", text.casefold())
    return "-".join(words)[:MAX_LENGTH].strip("-")
