"""One case from its weights to its frames, each part in its phase.

Only what a phase needs is in memory: Gemma goes before the text projection comes, the projection before the
transformer, the transformer before the decoder.
Official: ltx_pipelines.{distilled,ti2vid_one_stage,ti2vid_two_stages}.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.matrix.case import Case, LoraUse, Stage, Tiling
from ltxbench.model import noise
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.denoise import InvalidLatent, denoise, pack, unpack
from ltxbench.model.device_queue import on_gpu
from ltxbench.model.guidance import Guidance
from ltxbench.model.schedule import sigmas_for
from ltxbench.model.text import TextProjection, read_prompt
from ltxbench.model.text_flops import gemma_flops, projection_flops
from ltxbench.model.transformer import Conditioning, VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.decoding import InvalidFrames, decode_video
from ltxbench.model.vae.flops import decode_flops
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.model.vae.tiling import OFFICIAL
from ltxbench.model.work import transformer_facts
from ltxbench.run.engine import Generated, GenerateJob, InvalidOutput, Recorder
from ltxbench.run.host_heap import keep_freed_memory
from ltxbench.run.mlx_loading import fuse_distilled_lora, load_transformer, materialize
from ltxbench.run.records import DENOISING, Phase
from ltxbench.weights.source import WeightSource, open_source

CACHE_BYTES = 2 << 30
"""Freed memory that MLX may keep for reuse."""


def generate(job: GenerateJob, recorder: Recorder, dtype: mx.Dtype) -> Generated:
    """Frames of the job's case.

    Raises WeightsError for files that are missing or wrong, InvalidOutput for NaN or infinity in latents or frames.
    """
    mx.set_cache_limit(CACHE_BYTES)
    case, source = job.case, open_source(job.weights)
    with recorder.phase(Phase.LOAD):
        checkpoint = source.unified(case.model)
    texts = _encode(job, source, checkpoint, recorder, dtype)
    transformer = load_transformer(case, source, checkpoint, recorder, dtype)
    recorder.facts(**transformer_facts(transformer.config, case, texts.prompt.shape[1]))
    latent = _first_latent(job, transformer, texts, recorder)
    if case.two_stage:
        latent = _upscale(job, source, checkpoint, latent, recorder, dtype)
        if case.distilled_lora is LoraUse.STAGE_2:
            fuse_distilled_lora(case, source, transformer, recorder)
        latent = _refine(job, transformer, latent, texts, recorder)
    del transformer
    mx.clear_cache()
    final = np.array(latent)
    recorder.facts(latent_sha256=noise.sha256(final))
    return Generated(_decode(job, checkpoint, latent, recorder, dtype), final)


@contextmanager
def _warm_up(job: GenerateJob, recorder: Recorder) -> Iterator[bool]:
    """Whether the job asks for what follows to be done once and thrown away; that is one of its warm-up's phases."""
    if not job.warm_up:
        yield False
        return
    with recorder.warm_up():
        yield True
    mx.clear_cache()  # what is timed starts as it would without


@dataclass(frozen=True)
class _Texts:
    prompt: mx.array
    """[1, T, caption channels]."""
    negative: mx.array | None


def _encode(
    job: GenerateJob, source: WeightSource, checkpoint: Checkpoint, recorder: Recorder, dtype: mx.Dtype
) -> _Texts:
    """Prompt, and the negative prompt where the case is guided by it."""
    prompts = [job.prompt, job.negative_prompt] if job.case.guidance > 1 else [job.prompt]
    with recorder.phase(Phase.LOAD):
        tokenizer, gemma = source.tokenizer(), source.text_encoder(dtype)
        materialize(gemma.model)
    with _warm_up(job, recorder) as asked:
        if asked:
            mx.eval(read_prompt(tokenizer, gemma, prompts[0]).normalized)
    with recorder.phase(Phase.ENCODE):
        states = []
        for prompt in prompts:  # one by one: the states of all layers of one prompt are enough to hold
            states.append(read_prompt(tokenizer, gemma, prompt))
            mx.eval(states[-1].normalized)
    flops = sum(gemma_flops(gemma.config, state.mask.shape[1]) for state in states)
    del gemma
    mx.clear_cache()
    with recorder.phase(Phase.LOAD):
        projection = TextProjection.from_checkpoint(checkpoint, dtype)
        materialize(projection.features)
        materialize(projection.connector)
    with _warm_up(job, recorder) as asked:
        if asked:
            mx.eval(projection(states[0]).context)
    with recorder.phase(Phase.ENCODE):
        contexts = [projection(state).context for state in states]
        mx.eval(contexts)
    in_dims = projection.features.aggregate_embed.weight.shape[1]
    for state in states:
        flops += projection_flops(projection.connector.config, in_dims, state.mask.shape[1], state.length)
    del projection
    mx.clear_cache()
    recorder.facts(
        flops_encode=flops,
        prompt_tokens=states[0].valid_tokens,
        context_sha256=noise.sha256(np.array(contexts[0].astype(mx.float32))),
    )
    return _Texts(contexts[0], contexts[1] if len(contexts) > 1 else None)


def _grid(case: Case, stage: Stage) -> tuple[int, int, int]:
    """Latent cells (F, H, W)."""
    return case.latent_frames, stage.height // 32, stage.width // 32


def _first_latent(job: GenerateJob, transformer: VideoTransformer, texts: _Texts, recorder: Recorder) -> mx.array:
    """The latent [1, C, F, H, W] of stage 1, from noise."""
    case = job.case
    stage = case.stages[0]
    grid = _grid(case, stage)
    start = noise.initial_noise(case.seed, (1, transformer.config.in_channels, *grid))
    recorder.facts(noise_sha256=noise.sha256(start))
    guidance = Guidance(cfg=case.guidance, stg=case.stg, stg_blocks=case.stg_blocks, rescale=case.rescale)
    return _run_stage(job, stage, transformer, mx.array(start), texts, guidance, recorder)


def _refine(
    job: GenerateJob, transformer: VideoTransformer, latent: mx.array, texts: _Texts, recorder: Recorder
) -> mx.array:
    """Stage 2: fresh noise mixed into the upscaled latent at the first noise level, then a few unguided steps."""
    case = job.case
    stage = case.stages[1]
    sigma = float(sigmas_for(case, stage)[0])
    fresh = noise.initial_noise(case.seed, tuple(latent.shape), stream=noise.STAGE_2_STREAM)
    recorder.facts(noise_sha256_stage_2=noise.sha256(fresh))
    mixed = sigma * mx.array(fresh) + (1 - sigma) * latent
    return _run_stage(job, stage, transformer, mixed, texts, Guidance(), recorder)


def _run_stage(
    job: GenerateJob,
    stage: Stage,
    transformer: VideoTransformer,
    latent: mx.array,
    texts: _Texts,
    guidance: Guidance,
    recorder: Recorder,
) -> mx.array:
    case = job.case
    grid, sigmas = _grid(case, stage), sigmas_for(case, stage)

    def run(steps: int) -> mx.array:
        """The text is prepared within, since that is part of every stage."""
        conditioning, negative, joined = _conditioning(case, transformer, texts, grid, guidance)
        return denoise(
            transformer,
            pack(latent),
            sigmas[: steps + 1],
            conditioning,
            negative=negative,
            joined=joined,
            guidance=guidance,
            stepped=recorder.stepped,
            on_step=partial(_step, recorder, stage.index),
        )

    try:
        with _warm_up(job, recorder) as asked:
            if asked:
                run(1)
        with recorder.phase(DENOISING[stage.index - 1]):
            return unpack(run(stage.steps), grid)
    except InvalidLatent as error:
        raise InvalidOutput(f"stage {stage.index}: {error.message}", hint=error.hint) from error


def _conditioning(
    case: Case, transformer: VideoTransformer, texts: _Texts, grid: tuple[int, int, int], guidance: Guidance
) -> tuple[Conditioning, Conditioning | None, Conditioning | None]:
    """On the prompt, on the negative prompt, and on both as one batch.

    CUDA takes both forwards as one batch, which was measured to be faster there (docs/performance.md); elsewhere they
    are two, which a CPU computes side by side, and other GPUs one after the other, in less memory.
    """
    if not guidance.needs_negative or texts.negative is None:
        return transformer.prepare(texts.prompt, grid, case.fps), None, None
    if mx.cuda.is_available():
        joined = transformer.prepare(mx.concatenate([texts.prompt, texts.negative]), grid, case.fps)
        return *joined.halves(), joined
    conditioning = transformer.prepare(texts.prompt, grid, case.fps)
    return conditioning, transformer.prepare(texts.negative, grid, case.fps, rotation=conditioning.rotation), None


def _step(recorder: Recorder, stage: int, sigma: float, forwards: int) -> AbstractContextManager[None]:
    return recorder.step(stage=stage, sigma=sigma, forwards=forwards, ahead=True)


def _upscale(
    job: GenerateJob,
    source: WeightSource,
    checkpoint: Checkpoint,
    latent: mx.array,
    recorder: Recorder,
    dtype: mx.Dtype,
) -> mx.array:
    with recorder.phase(Phase.LOAD):
        upsampler = LatentUpsampler.from_checkpoint(source.upscaler(), dtype)
        statistics = PerChannelStatistics.from_checkpoint(checkpoint, latent.shape[1])
        materialize(upsampler.network)
        materialize(statistics)
    adain = job.case.upscale_adain
    with _warm_up(job, recorder) as asked:
        if asked:
            mx.eval(upsampler.upsample(latent, statistics, adain))
    with recorder.phase(Phase.UPSCALE):
        latent = upsampler.upsample(latent, statistics, adain)
        mx.eval(latent)
        if not mx.isfinite(latent).all().item():
            raise InvalidOutput("the latent became NaN or infinite in upscaling", hint="The weights may be damaged.")
    del upsampler
    mx.clear_cache()
    return latent


def _decode(
    job: GenerateJob, checkpoint: Checkpoint, latent: mx.array, recorder: Recorder, dtype: mx.Dtype
) -> npt.NDArray[np.uint8]:
    """uint8 [F, H, W, 3]."""
    if not on_gpu() and keep_freed_memory():
        mx.set_cache_limit(0)  # the heap serves other sizes, too
    tiling = OFFICIAL if job.case.tiling is Tiling.OFFICIAL else None
    with recorder.phase(Phase.LOAD):
        decoder = VideoDecoder.from_checkpoint(checkpoint, dtype)
        materialize(decoder.network)
        materialize(decoder.statistics)
    frames, height, width = latent.shape[2:]
    recorder.facts(flops_decode=decode_flops(decoder.config, (frames, height, width), tiling))
    try:
        with _warm_up(job, recorder) as asked:
            if asked:
                decode_video(decoder, latent, tiling)
        with recorder.phase(Phase.DECODE):
            return decode_video(decoder, latent, tiling)
    except InvalidFrames as error:
        raise InvalidOutput(error.message, hint=error.hint) from error
