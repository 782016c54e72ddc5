"""A case: one configuration of the pipeline, with every default filled in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ltxbench.frozen import Frozen
from ltxbench.matrix.gate import Gate

SPATIAL_COMPRESSION = 32  # pixels a side of one latent cell
TEMPORAL_COMPRESSION = 8  # frames of one latent cell, but for the first, which holds one


PRESENTATION = frozenset({"name", "title", "group", "summary", "warning", "notes", "reference"})
"""The fields of a case that decide nothing that is computed."""


class Model(StrEnum):
    DISTILLED = "distilled"
    DEV = "dev"


class LoraUse(StrEnum):
    """Where the distilled LoRA is fused into the dev weights."""

    NONE = "none"
    ALL = "all"
    STAGE_2 = "stage-2"


class Quantization(StrEnum):
    """Precision of the transformer's linear layers (MLX affine, groups of 64)."""

    BF16 = "bf16"
    QINT8 = "qint8"
    INT4 = "int4"

    @property
    def bits(self) -> int | None:
        return {"bf16": None, "qint8": 8, "int4": 4}[self.value]


class QuantizedLayers(StrEnum):
    BLOCKS = "blocks"
    ALL = "all"


class Schedule(StrEnum):
    """How the noise levels are chosen.

    official      distilled: the published list as it is; dev: shifted for 4,096 tokens whatever the size
    time-shifted  distilled: the list is shifted and stretched by the token count, as ltx-video-swift-mlx does
    token-count   dev: shifted for the latent's true token count, as diffusers does
    """

    OFFICIAL = "official"
    TIME_SHIFTED = "time-shifted"
    TOKEN_COUNT = "token-count"


class Tiling(StrEnum):
    """official: the pipeline's own tiles (512 px overlapping 64, 64 frames overlapping 24); none: one piece."""

    OFFICIAL = "official"
    NONE = "none"


class ExtraLora(Frozen):
    path: str
    strength: float = 1.0


class Stage(Frozen):
    """One denoising stage as it will run."""

    index: int
    width: int
    height: int
    steps: int
    forwards: int
    """Transformer forwards a step: 1, one more for classifier-free guidance, one more for STG."""
    distilled_sigmas: bool

    @property
    def tokens_per_latent_frame(self) -> int:
        return (self.width // SPATIAL_COMPRESSION) * (self.height // SPATIAL_COMPRESSION)


class Case(Frozen):
    """Everything that decides what is computed, and the words that present it."""

    name: str
    title: str
    group: str | None = None
    summary: str | None = None
    warning: str | None = None
    notes: tuple[str, ...] = ()
    reference: str | None = None
    """The case of the same matrix that this one's frames are compared with."""

    model: Model = Model.DISTILLED
    distilled_lora: LoraUse = LoraUse.NONE
    lora_strength: float = 1.0
    loras: tuple[ExtraLora, ...] = ()
    two_stage: bool = False
    steps: Annotated[int, Field(ge=1)] = 8
    guidance: Annotated[float, Field(ge=1)] = 1.0
    stg: Annotated[float, Field(ge=0)] = 0.0
    stg_blocks: tuple[int, ...] = ()
    rescale: Annotated[float, Field(ge=0, le=1)] = 0.0
    width: int = 768
    height: int = 512
    frames: int = 25
    fps: Annotated[int, Field(ge=1)] = 24
    seed: Annotated[int, Field(ge=0)] = 42
    quantization: Quantization = Quantization.BF16
    quantized_layers: QuantizedLayers = QuantizedLayers.ALL
    tiling: Tiling = Tiling.OFFICIAL
    schedule: Schedule = Schedule.OFFICIAL
    upscale_adain: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def distilled_schedule(self) -> bool:
        """Stage 1 follows the distilled list: distilled weights, or dev weights with the LoRA fused throughout."""
        return self.model is Model.DISTILLED or self.distilled_lora is LoraUse.ALL

    @property
    def latent_frames(self) -> int:
        return (self.frames - 1) // TEMPORAL_COMPRESSION + 1

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage at full size, or one at half size and three refining steps at full size."""
        forwards = 1 + (self.guidance > 1) + (self.stg > 0)
        scale = 2 if self.two_stage else 1
        first = Stage(
            index=1,
            width=self.width // scale,
            height=self.height // scale,
            steps=self.steps,
            forwards=forwards,
            distilled_sigmas=self.distilled_schedule,
        )
        if not self.two_stage:
            return (first,)
        second = Stage(index=2, width=self.width, height=self.height, steps=3, forwards=1, distilled_sigmas=True)
        return (first, second)

    @property
    def steps_label(self) -> str:
        """`8`, or `8+3` with a second stage."""
        return "+".join(str(stage.steps) for stage in self.stages)

    @property
    def resolution_label(self) -> str:
        """`768x512`, or `384x256 -> 768x512` with a second stage."""
        return " -> ".join(f"{stage.width}x{stage.height}" for stage in self.stages)

    @property
    def model_label(self) -> str:
        """`dev + distilled LoRA`, `distilled (8-bit)`."""
        label = self.model.value
        if self.distilled_lora is LoraUse.ALL:
            label += " + distilled LoRA"
        elif self.distilled_lora is LoraUse.STAGE_2:
            label += " + distilled LoRA (stage 2)"
        if self.loras:
            label += f" + {len(self.loras)} LoRA"
        if self.quantization.bits is not None:
            label += f" ({self.quantization.bits}-bit)"
        return label

    @property
    def needs_stage_2_reload(self) -> bool:
        """Stage 2 runs on other weights than stage 1."""
        return self.two_stage and self.distilled_lora is LoraUse.STAGE_2


class Group(Frozen):
    name: str
    title: str


class Section(Frozen):
    """A piece of explanation on the page: Markdown from the matrix's author."""

    title: str
    body: str


class Matrix(Frozen):
    """A resolved matrix: nothing in it depends on a default any more."""

    name: str
    title: str
    prompt: str
    enhance: bool = False
    enhanced: str | None = None
    """The prompt as every case sees it. None with `enhance` on: it is written once, before the first case."""
    negative_prompt: str = ""
    groups: tuple[Group, ...] = ()
    cases: tuple[Case, ...]
    sections: tuple[Section, ...] = ()
    stills: tuple[int, ...] = (12,)
    gate: Gate = Gate()
    """What `ltxbench check` lets pass; it decides nothing that is computed."""
    warnings: tuple[str, ...] = ()
    source: str
    """The matrix file as given on the command line."""
    source_sha256: str

    @property
    def conditioning(self) -> str | None:
        """The text that is encoded, None while it still has to be enhanced."""
        if not self.enhance:
            return self.prompt
        return self.enhanced

    @property
    def shared(self) -> dict[str, object]:
        """The settings that every case has in common, by field name; for the line of common flags."""
        settings = [field for field in Case.model_fields if field not in PRESENTATION]
        first = self.cases[0]
        return {
            field: getattr(first, field)
            for field in settings
            if all(getattr(case, field) == getattr(first, field) for case in self.cases)
        }
