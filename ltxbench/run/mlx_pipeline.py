"""One case from its weights to its frames, each part in its phase.

Only what a phase needs is in memory: Gemma goes before the text projection comes, the projection before the
transformer, the transformer before the decoder.
Official: ltx_pipelines.{distilled,ti2vid_one_stage,ti2vid_two_stages}.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import numpy.typing as npt

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Case, LoraUse, Model, Stage, Tiling
from ltxbench.model import noise
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.denoise import InvalidLatent, denoise, pack, unpack
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.guidance import Guidance
from ltxbench.model.lora import fuse
from ltxbench.model.quantize import quantize
from ltxbench.model.schedule import sigmas_for
from ltxbench.model.text import TextProjection, read_prompt
from ltxbench.model.tokenizer import PromptTokenizer
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.model.vae.tiling import OFFICIAL, decode_frames
from ltxbench.run.engine import Generated, GenerateJob, InvalidOutput, Recorder
from ltxbench.run.records import Phase
from ltxbench.weights.files import WeightFiles, required


def generate(job: GenerateJob, recorder: Recorder, dtype: mx.Dtype) -> Generated:
    """Frames of the job's case.

    Raises WeightsError for files that are missing or wrong, InvalidOutput when the latent holds NaN or infinity.
    """
    case = job.case
    with recorder.phase(Phase.LOAD):
        checkpoint = Checkpoint(_model_file(case, job.weights))
    texts = _encode(job, checkpoint, recorder, dtype)
    transformer = _load_transformer(job, checkpoint, recorder, dtype)
    latent = _first_latent(case, transformer, texts, recorder)
    if case.two_stage:
        latent = _upscale(job, checkpoint, latent, recorder, dtype)
        if case.distilled_lora is LoraUse.STAGE_2:
            _fuse_distilled_lora(job, transformer, recorder)
        latent = _refine(case, transformer, latent, texts, recorder)
    del transformer
    mx.clear_cache()
    final = np.array(latent)
    recorder.facts(latent_sha256=noise.sha256(final))
    return Generated(_decode(case, checkpoint, latent, recorder, dtype), final)


@dataclass(frozen=True)
class _Texts:
    prompt: mx.array
    """[1, T, caption channels]."""
    negative: mx.array | None


def _model_file(case: Case, files: WeightFiles) -> Path:
    if case.model is Model.DISTILLED:
        return required(files.distilled, "the distilled model", files)
    return required(files.dev, "the dev model", files)


def _materialize(module: nn.Module) -> None:
    mx.eval(module.parameters())


def _encode(job: GenerateJob, checkpoint: Checkpoint, recorder: Recorder, dtype: mx.Dtype) -> _Texts:
    """Prompt, and the negative prompt where the case is guided by it."""
    prompts = [job.prompt, job.negative_prompt] if job.case.guidance > 1 else [job.prompt]
    folder = required(job.weights.gemma, "Gemma", job.weights)
    with recorder.phase(Phase.LOAD):
        tokenizer, gemma = PromptTokenizer.load(folder), TextEncoder.load(folder, dtype)
        _materialize(gemma.model)
    with recorder.phase(Phase.ENCODE):
        states = [read_prompt(tokenizer, gemma, prompt) for prompt in prompts]
        mx.eval([state.normalized for state in states])
    del gemma
    mx.clear_cache()
    with recorder.phase(Phase.LOAD):
        projection = TextProjection.from_checkpoint(checkpoint, dtype)
        _materialize(projection.features)
        _materialize(projection.connector)
    with recorder.phase(Phase.ENCODE):
        contexts = [projection(state).context for state in states]
        mx.eval(contexts)
    del projection
    mx.clear_cache()
    recorder.facts(
        prompt_tokens=states[0].valid_tokens,
        context_sha256=noise.sha256(np.array(contexts[0].astype(mx.float32))),
    )
    return _Texts(contexts[0], contexts[1] if len(contexts) > 1 else None)


def _load_transformer(
    job: GenerateJob, checkpoint: Checkpoint, recorder: Recorder, dtype: mx.Dtype
) -> VideoTransformer:
    case = job.case
    quantized = case.quantization.bits is not None
    with recorder.phase(Phase.LOAD):
        transformer = VideoTransformer.from_checkpoint(checkpoint, dtype)
        _check_stg_blocks(case, transformer)
        if not quantized:
            _materialize(transformer)
    if case.distilled_lora is LoraUse.ALL:
        _fuse_distilled_lora(job, transformer, recorder)
    for number, extra in enumerate(case.loras):
        _fuse(transformer, Path(extra.path), extra.strength, f"lora_{number}", recorder)
    if quantized:
        # The weights are read here, layer by layer: both forms of the whole model are never in memory together.
        with recorder.phase(Phase.QUANTIZE):
            report = quantize(transformer, case.quantization, case.quantized_layers)
            _materialize(transformer)
        if report is not None:
            recorder.facts(quantized_layers=report.quantized, unquantized_layers=report.left)
    return transformer


def _check_stg_blocks(case: Case, transformer: VideoTransformer) -> None:
    depth = transformer.config.num_layers
    if case.stg > 0 and max(case.stg_blocks, default=0) >= depth:
        raise UsageError(
            f"case {case.name}: stg_blocks names block {max(case.stg_blocks)}, but the model has {depth}",
            hint=f"Blocks are numbered from 0 to {depth - 1}.",
        )


def _fuse_distilled_lora(job: GenerateJob, transformer: VideoTransformer, recorder: Recorder) -> None:
    file = required(job.weights.distilled_lora, "the distilled LoRA", job.weights)
    _fuse(transformer, file, job.case.lora_strength, "distilled_lora", recorder)


def _fuse(transformer: VideoTransformer, file: Path, strength: float, name: str, recorder: Recorder) -> None:
    with recorder.phase(Phase.LORA):
        report = fuse(transformer, Checkpoint(file), strength)
    recorder.facts(**{f"{name}_matched": report.matched, f"{name}_skipped": report.skipped})


def _grid(case: Case, stage: Stage) -> tuple[int, int, int]:
    """Latent cells (F, H, W)."""
    return case.latent_frames, stage.height // 32, stage.width // 32


def _first_latent(case: Case, transformer: VideoTransformer, texts: _Texts, recorder: Recorder) -> mx.array:
    """The latent [1, C, F, H, W] of stage 1, from noise."""
    stage = case.stages[0]
    grid = _grid(case, stage)
    start = noise.initial_noise(case.seed, (1, transformer.config.in_channels, *grid))
    recorder.facts(noise_sha256=noise.sha256(start))
    guidance = Guidance(cfg=case.guidance, stg=case.stg, stg_blocks=case.stg_blocks, rescale=case.rescale)
    with recorder.phase(Phase.DENOISE_1):
        return _run_stage(case, stage, transformer, mx.array(start), texts, guidance, recorder)


def _refine(case: Case, transformer: VideoTransformer, latent: mx.array, texts: _Texts, recorder: Recorder) -> mx.array:
    """Stage 2: fresh noise mixed into the upscaled latent at the first noise level, then a few unguided steps."""
    stage = case.stages[1]
    sigma = float(sigmas_for(case, stage)[0])
    fresh = noise.initial_noise(case.seed, tuple(latent.shape), stream=noise.STAGE_2_STREAM)
    with recorder.phase(Phase.DENOISE_2):
        mixed = sigma * mx.array(fresh) + (1 - sigma) * latent
        return _run_stage(case, stage, transformer, mixed, texts, Guidance(), recorder)


def _run_stage(
    case: Case,
    stage: Stage,
    transformer: VideoTransformer,
    latent: mx.array,
    texts: _Texts,
    guidance: Guidance,
    recorder: Recorder,
) -> mx.array:
    grid = _grid(case, stage)
    conditioning = transformer.prepare(texts.prompt, grid, case.fps)
    negative = None
    if guidance.needs_negative and texts.negative is not None:
        negative = transformer.prepare(texts.negative, grid, case.fps, rotation=conditioning.rotation)
    on_step = partial(_step, recorder, stage.index)
    try:
        tokens = denoise(
            transformer,
            pack(latent),
            sigmas_for(case, stage),
            conditioning,
            negative=negative,
            guidance=guidance,
            on_step=on_step,
        )
    except InvalidLatent as error:
        raise InvalidOutput(f"stage {stage.index}: {error.message}", hint=error.hint) from error
    return unpack(tokens, grid)


def _step(recorder: Recorder, stage: int, sigma: float, forwards: int) -> AbstractContextManager[None]:
    return recorder.step(stage=stage, sigma=sigma, forwards=forwards)


def _upscale(
    job: GenerateJob, checkpoint: Checkpoint, latent: mx.array, recorder: Recorder, dtype: mx.Dtype
) -> mx.array:
    file = required(job.weights.upscaler, "the spatial upscaler", job.weights)
    with recorder.phase(Phase.LOAD):
        upsampler = LatentUpsampler.from_checkpoint(Checkpoint(file), dtype)
        statistics = PerChannelStatistics.from_checkpoint(checkpoint, latent.shape[1])
        _materialize(upsampler.network)
        _materialize(statistics)
    with recorder.phase(Phase.UPSCALE):
        latent = upsampler.upsample(latent, statistics, job.case.upscale_adain)
        mx.eval(latent)
    del upsampler
    mx.clear_cache()
    return latent


def _decode(
    case: Case, checkpoint: Checkpoint, latent: mx.array, recorder: Recorder, dtype: mx.Dtype
) -> npt.NDArray[np.uint8]:
    """uint8 [F, H, W, 3]."""
    with recorder.phase(Phase.LOAD):
        decoder = VideoDecoder.from_checkpoint(checkpoint, dtype)
        _materialize(decoder.network)
        _materialize(decoder.statistics)
    with recorder.phase(Phase.DECODE):
        tiling = OFFICIAL if case.tiling is Tiling.OFFICIAL else None
        return np.concatenate(list(decode_frames(decoder, latent, tiling)))
