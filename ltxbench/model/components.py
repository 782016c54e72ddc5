"""One component on given tensors: what `ltxbench module` runs. `component_tensors` says what each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import numpy as np
import numpy.typing as npt
from safetensors import deserialize

from ltxbench.errors import UsageError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.component_inputs import Inputs
from ltxbench.model.component_tensors import COMPONENTS
from ltxbench.model.connector import Connector
from ltxbench.model.denoise import denoise, pack, unpack
from ltxbench.model.features import FeatureExtractor, normalize
from ltxbench.model.guidance import Guidance
from ltxbench.model.schedule import Sigmas
from ltxbench.model.transformer import Conditioning, VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.decoding import decode_chunks
from ltxbench.model.vae.encoder import VideoEncoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.model.vae.tiling import OFFICIAL, TilingConfig

NUMPY_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_tensors(path: Path) -> dict[str, mx.array]:
    """All tensors of a safetensors file, float64 and bfloat16 as float32.

    Raises WeightsError for a file that is not valid, UsageError for a type that no component takes.
    """
    Checkpoint(path)  # a torn file is refused in plain words
    return {name: mx.array(_numpy(name, view)) for name, view in deserialize(path.read_bytes())}


def _numpy(name: str, view: Mapping[str, Any]) -> npt.NDArray[Any]:
    if view["dtype"] == "BF16":
        bits = np.frombuffer(view["data"], np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32).reshape(view["shape"])
    if view["dtype"] not in NUMPY_DTYPES:
        raise UsageError(f"tensor {name} is {view['dtype']}, expected {', '.join(NUMPY_DTYPES)} or BF16")
    values = np.frombuffer(view["data"], NUMPY_DTYPES[view["dtype"]]).reshape(view["shape"])
    return values.astype(np.float32) if values.dtype == np.float64 else values


def run(name: str, weights: Checkpoint, tensors: Mapping[str, mx.array], dtype: mx.Dtype) -> dict[str, mx.array]:
    """The component's output under its documented name, in float32.

    Raises UsageError for an unknown component and for tensors that do not fit it, WeightsError for the file.
    """
    component = next((entry for entry in COMPONENTS if entry.name == name), None)
    if component is None:
        names = ", ".join(entry.name for entry in COMPONENTS)
        raise UsageError(f"no component is called {name}", hint=f"One of {names}.")
    output = RUNNERS[name](weights, Inputs(component, tensors), dtype)
    return {component.output.name: output.astype(mx.float32)}


def _connector(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    if ("features" in inputs) == ("hidden_states" in inputs):
        raise UsageError("connector needs either features or hidden_states")
    if "features" in inputs:
        features = inputs["features"].astype(dtype)
    else:
        stacked = inputs["hidden_states"].astype(dtype)
        layers = [stacked[..., layer] for layer in range(stacked.shape[-1])]
        features = FeatureExtractor.from_checkpoint(weights, dtype)(normalize(layers, inputs["mask"]))
    return Connector.from_checkpoint(weights, dtype)(features, inputs["mask"])


def _transformer(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    transformer = VideoTransformer.from_checkpoint(weights, dtype)
    inputs.expect(C=transformer.config.in_channels, D=transformer.config.caption_channels)
    latent = inputs["latent"]
    grid = cast("tuple[int, int, int]", tuple(latent.shape[2:])) if latent.ndim == 5 else None
    conditioning = _conditioning(transformer, inputs, grid)
    tokens = latent if grid is None else pack(latent)
    sigma = inputs["sigma"] if inputs["sigma"].ndim else inputs["sigma"][None]
    skip = inputs.indices("skip_self_attention")
    velocity = transformer(tokens, sigma, conditioning, skip_self_attention=skip)
    return velocity if grid is None else unpack(velocity, grid)


def _conditioning(
    transformer: VideoTransformer, inputs: Inputs, grid: tuple[int, int, int] | None, context: str = "context"
) -> Conditioning:
    if "positions" in inputs:
        return transformer.prepare_at(inputs[context], np.array(inputs["positions"].astype(mx.float32)))
    if grid is None:
        raise UsageError("a latent given as tokens needs positions")
    fps = inputs.number("fps", 24)
    if fps <= 0:
        raise UsageError(f"tensor fps is {fps:g}, expected a positive number")
    return transformer.prepare(inputs[context], grid, fps)


def _decoder(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    decoder = VideoDecoder.from_checkpoint(weights, dtype)
    pixels, frames = inputs.whole("tile_pixels", 0), inputs.whole("tile_frames", 0)
    if not pixels and not frames:
        return decoder.decode(inputs["latent"])
    tiling = TilingConfig(
        tile_pixels=pixels or None,
        overlap_pixels=inputs.whole("overlap_pixels", OFFICIAL.overlap_pixels),
        tile_frames=frames or None,
        overlap_frames=inputs.whole("overlap_frames", OFFICIAL.overlap_frames),
    )
    return mx.moveaxis(mx.concatenate(list(decode_chunks(decoder, inputs["latent"], tiling)), axis=1), -1, 1)


def _encoder(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    return VideoEncoder.from_checkpoint(weights, dtype).encode(inputs["video"])


def _upsampler(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    upsampler = LatentUpsampler.from_checkpoint(weights, dtype)
    if ("mean_of_means" in inputs) != ("std_of_means" in inputs):
        raise UsageError("upsampler needs both mean_of_means and std_of_means, or neither")
    inputs.expect(C=upsampler.config.in_channels)
    statistics = PerChannelStatistics(upsampler.config.in_channels)
    if "mean_of_means" in inputs:
        means = {"mean-of-means": inputs["mean_of_means"], "std-of-means": inputs["std_of_means"]}
        statistics.load_weights([(name, array.astype(mx.float32)) for name, array in means.items()])
    return upsampler.upsample(inputs["latent"], statistics, inputs.number("adain", 0.0))


def _denoise(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    transformer = VideoTransformer.from_checkpoint(weights, dtype)
    inputs.expect(C=transformer.config.in_channels, D=transformer.config.caption_channels)
    guidance = Guidance(
        cfg=inputs.number("cfg", 1.0),
        stg=inputs.number("stg", 0.0),
        stg_blocks=inputs.indices("stg_blocks"),
        rescale=inputs.number("rescale", 0.0),
    )
    if guidance.needs_negative and "negative_context" not in inputs:
        raise UsageError("denoise with cfg other than 1 needs a tensor negative_context")
    grid = cast("tuple[int, int, int]", tuple(inputs["latent"].shape[2:]))
    negative = _conditioning(transformer, inputs, grid, "negative_context") if guidance.needs_negative else None
    tokens = denoise(
        transformer,
        pack(inputs["latent"]),
        _sigmas(inputs),
        _conditioning(transformer, inputs, grid),
        negative=negative,
        guidance=guidance,
    )
    return unpack(tokens, grid)


def _sigmas(inputs: Inputs) -> Sigmas:
    sigmas = np.array(inputs["sigmas"].astype(mx.float32))
    if len(sigmas) < 2 or not np.isfinite(sigmas).all() or not sigmas[:-1].all():
        raise UsageError(f"tensor sigmas is {sigmas.tolist()}, expected two or more numbers, only the last of them 0")
    return sigmas


RUNNERS: Mapping[str, Callable[[Checkpoint, Inputs, mx.Dtype], mx.array]] = {
    "connector": _connector,
    "transformer": _transformer,
    "vae-decoder": _decoder,
    "vae-encoder": _encoder,
    "upsampler": _upsampler,
    "denoise": _denoise,
}
