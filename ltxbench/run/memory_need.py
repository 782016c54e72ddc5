"""How much memory a case will need, from the sizes of its parts: arithmetic alone, told before anything is loaded.

An estimate on the safe side of what MLX will have allocated at most; the parts follow the order of `mlx_pipeline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltxbench.errors import ResourceError
from ltxbench.frozen import Frozen
from ltxbench.matrix.case import SPATIAL_COMPRESSION, Case, LoraUse, Tiling
from ltxbench.run.records import Phase

ACTIVATIONS = 24
"""Copies of the residual stream that a transformer's forward holds at most: the feed-forward's 4, the rotation's
float32 tables, and what is not freed yet."""
TILE_CELLS = 16
"""Latent cells a side of a decoder's tile, 8 in time."""
SPARE = 1.05
"""What MLX's allocator rounds up, and what this arithmetic leaves out."""


@dataclass(frozen=True)
class PartSizes:
    """Sizes of one case's parts in memory, as they will be held."""

    text_encoder_bytes: int
    hidden_states_bytes: int
    """All of Gemma's states for one prompt of full length."""
    projection_bytes: int
    transformer_bytes: int
    """After quantization."""
    loading_bytes: int
    """What is beside the transformer while it is loaded, updated and quantized."""
    text_bytes: int
    """Keys and values of one prompt, all blocks."""
    width: int
    """Of the transformer's residual stream."""
    upscaler_bytes: int
    upscaler_width: int
    decoder_bytes: int
    decoder_width: int
    """Channels at the decoder's last stage, at a quarter of the height and width."""
    itemsize: int
    """Bytes of one activation."""
    convolution_copies: int
    """Of a convolution's input that it holds: a CPU lays out every neighbourhood, a GPU does not."""


class CaseNeed(Frozen):
    case: str
    needed_bytes: int
    phase: Phase
    """In which that much is needed."""


class Survey(Frozen):
    needs: tuple[CaseNeed, ...] = ()
    available_bytes: int | None = None
    """Of the memory that MLX will use; None where it does not tell."""


def estimate(case: Case, sizes: PartSizes) -> CaseNeed:
    prompts = 1 + (case.guidance > 1)
    tokens = max(case.latent_frames * stage.tokens_per_latent_frame for stage in case.stages)
    activations = prompts * tokens * sizes.width * sizes.itemsize * ACTIVATIONS
    cells = tokens * sizes.upscaler_width * sizes.itemsize
    parts = {
        Phase.ENCODE: max(
            sizes.text_encoder_bytes + 3 * sizes.hidden_states_bytes,
            sizes.projection_bytes + (prompts + 1) * sizes.hidden_states_bytes,
        ),
        Phase.LOAD: sizes.transformer_bytes + sizes.loading_bytes,
        Phase.DENOISE_1: sizes.transformer_bytes + prompts * sizes.text_bytes + activations,
        Phase.DECODE: sizes.decoder_bytes + decoding_bytes(case, sizes),
    }
    if case.two_stage:
        upscaling = cells * (6 + sizes.convolution_copies)
        parts[Phase.UPSCALE] = sizes.transformer_bytes + sizes.upscaler_bytes + upscaling
        if case.distilled_lora is LoraUse.STAGE_2:
            parts[Phase.LORA] = sizes.transformer_bytes + sizes.loading_bytes
    phase = max(parts, key=parts.__getitem__)
    return CaseNeed(case=case.name, needed_bytes=round(SPARE * parts[phase]), phase=phase)


def decoding_bytes(case: Case, sizes: PartSizes) -> int:
    """Activations of the decoder's last stage for one tile, and the finished frames."""
    height, width = case.height // SPATIAL_COMPRESSION, case.width // SPATIAL_COMPRESSION
    frames = case.frames
    if case.tiling is Tiling.OFFICIAL:
        longer = max(height, width)
        share = min(1.0, TILE_CELLS / longer)
        height, width = max(1, round(height * share)), max(1, round(width * share))
        frames = min(frames, 65)
    quarter = (SPATIAL_COMPRESSION // 4) ** 2
    activations = frames * height * width * quarter * sizes.decoder_width * sizes.itemsize
    video = case.frames * case.height * case.width * 3 * 4
    return activations * (6 + sizes.convolution_copies) + 3 * video


def check(survey: Survey) -> None:
    """Raises ResourceError when a case needs more than there is, naming the figures and the cases that fit."""
    available_bytes = survey.available_bytes
    if available_bytes is None:
        return
    large = [need for need in survey.needs if need.needed_bytes > available_bytes]
    if not large:
        return
    most = ", ".join(f"{need.case} about {_gb(need.needed_bytes)} ({need.phase})" for need in large)
    fitting = [need.case for need in survey.needs if need.needed_bytes <= available_bytes]
    raise ResourceError(
        f"too little memory: {_gb(available_bytes)} are there, needed are: {most}",
        hint=f"{_advice(fitting)} --skip-too-large leaves the others out, --no-memory-check runs them all the same.",
    )


def too_large(survey: Survey) -> dict[str, str]:
    """The cases that need more than there is, and a sentence for each."""
    available_bytes = survey.available_bytes
    if available_bytes is None:
        return {}
    return {
        need.case: f"needs about {_gb(need.needed_bytes)} of memory ({need.phase}), {_gb(available_bytes)} are there"
        for need in survey.needs
        if need.needed_bytes > available_bytes
    }


def _advice(fitting: Sequence[str]) -> str:
    if fitting:
        return f"These cases fit: {' '.join(f'--case {name}' for name in fitting)}."
    return "No case of these fits: quantization (int4 needs least) or a smaller size would."


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e8 else f"{size_bytes / 1e6:.0f} MB"
