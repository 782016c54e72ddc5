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
from ltxbench.model.component_tensors import COMPONENTS, Component
from ltxbench.model.connector import Connector
from ltxbench.model.denoise import denoise, pack, unpack
from ltxbench.model.features import FeatureExtractor, normalize
from ltxbench.model.guidance import Guidance
from ltxbench.model.transformer import Conditioning, VideoTransformer
from ltxbench.model.upsampler import LatentUpsampler
from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.encoder import VideoEncoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.model.vae.tiling import OFFICIAL, TilingConfig, decode_chunks

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


class Inputs:
    """The given tensors of one component, checked by name and number of dimensions."""

    def __init__(self, component: Component, tensors: Mapping[str, mx.array]) -> None:
        known = {tensor.name: tensor for tensor in component.inputs}
        takes = ", ".join(known)
        if unknown := sorted(tensors.keys() - known.keys()):
            raise UsageError(f"{component.name} takes no tensor {unknown[0]}", hint=f"It takes {takes}.")
        for name, tensor in known.items():
            if name not in tensors and not tensor.optional:
                raise UsageError(f"{component.name} needs a tensor {name} {tensor.shape}", hint=f"It takes {takes}.")
        for name, array in tensors.items():
            allowed = {shape.count(",") + 1 if shape != "[]" else 0 for shape in known[name].shape.split(" or ")}
            scalar = allowed == {0} and array.size == 1
            if array.ndim not in allowed and not scalar:
                raise UsageError(f"tensor {name} has shape {array.shape}, expected {known[name].shape}")
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> mx.array:
        return self._tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def number(self, name: str, default: float) -> float:
        return float(np.array(self._tensors[name].astype(mx.float32)).item()) if name in self._tensors else default

    def indices(self, name: str) -> tuple[int, ...]:
        return tuple(cast("list[int]", self._tensors[name].tolist())) if name in self._tensors else ()


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
    latent = inputs["latent"]
    grid = cast("tuple[int, int, int]", tuple(latent.shape[2:])) if latent.ndim == 5 else None
    conditioning = _conditioning(transformer, inputs, grid)
    tokens = latent if grid is None else pack(latent)
    sigma, skip = inputs["sigma"], inputs.indices("skip_self_attention")
    velocity = transformer(tokens, sigma, conditioning, skip_self_attention=skip)
    return velocity if grid is None else unpack(velocity, grid)


def _conditioning(
    transformer: VideoTransformer, inputs: Inputs, grid: tuple[int, int, int] | None, context: str = "context"
) -> Conditioning:
    if "positions" in inputs:
        return transformer.prepare_at(inputs[context], np.array(inputs["positions"].astype(mx.float32)))
    if grid is None:
        raise UsageError("a latent given as tokens needs positions")
    return transformer.prepare(inputs[context], grid, inputs.number("fps", 24))


def _decoder(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    decoder = VideoDecoder.from_checkpoint(weights, dtype)
    pixels, frames = int(inputs.number("tile_pixels", 0)), int(inputs.number("tile_frames", 0))
    if not pixels and not frames:
        return decoder.decode(inputs["latent"])
    tiling = TilingConfig(
        tile_pixels=pixels or None,
        overlap_pixels=int(inputs.number("overlap_pixels", OFFICIAL.overlap_pixels)),
        tile_frames=frames or None,
        overlap_frames=int(inputs.number("overlap_frames", OFFICIAL.overlap_frames)),
    )
    return mx.moveaxis(mx.concatenate(list(decode_chunks(decoder, inputs["latent"], tiling)), axis=1), -1, 1)


def _encoder(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    return VideoEncoder.from_checkpoint(weights, dtype).encode(inputs["video"])


def _upsampler(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    upsampler = LatentUpsampler.from_checkpoint(weights, dtype)
    if ("mean_of_means" in inputs) != ("std_of_means" in inputs):
        raise UsageError("upsampler needs both mean_of_means and std_of_means, or neither")
    statistics = PerChannelStatistics(upsampler.config.in_channels)
    if "mean_of_means" in inputs:
        means = {"mean-of-means": inputs["mean_of_means"], "std-of-means": inputs["std_of_means"]}
        statistics.load_weights([(name, array.astype(mx.float32)) for name, array in means.items()])
    return upsampler.upsample(inputs["latent"], statistics, inputs.number("adain", 0.0))


def _denoise(weights: Checkpoint, inputs: Inputs, dtype: mx.Dtype) -> mx.array:
    transformer = VideoTransformer.from_checkpoint(weights, dtype)
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
        np.array(inputs["sigmas"].astype(mx.float32)),
        _conditioning(transformer, inputs, grid),
        negative=negative,
        guidance=guidance,
    )
    return unpack(tokens, grid)


RUNNERS: Mapping[str, Callable[[Checkpoint, Inputs, mx.Dtype], mx.array]] = {
    "connector": _connector,
    "transformer": _transformer,
    "vae-decoder": _decoder,
    "vae-encoder": _encoder,
    "upsampler": _upsampler,
    "denoise": _denoise,
}
