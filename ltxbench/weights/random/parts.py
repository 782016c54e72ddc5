"""Which tensors stand in which file. Names and shapes are read off the modules that load them; nothing is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import mlx.core as mx
import mlx.nn as nn

from ltxbench.model import connector, features, lora, transformer
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.connector import Connector, ConnectorConfig
from ltxbench.model.features import FeatureExtractor
from ltxbench.model.gemma import architecture
from ltxbench.model.gemma_files import GemmaConfig
from ltxbench.model.transformer import VideoTransformer
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.upsampler import Upsampler, UpsamplerConfig
from ltxbench.model.vae import decoder, statistics
from ltxbench.model.vae.config import DecoderConfig
from ltxbench.model.vae.decoder import Decoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.weights.random.draw import Tensor
from ltxbench.weights.random.initial import Shape, Special, gemma_norm, initial, offsets, scales
from ltxbench.weights.random.sizes import Sizes
from ltxbench.weights.tiny import config as json_config
from ltxbench.weights.tiny import gemma as gemma_json

Tensors = dict[str, Tensor]
GEMMA_PREFIX = "language_model.model."


def unified(sizes: Sizes, model: str) -> Tensors:
    """The video part of a unified checkpoint. `model`, dev or distilled, tells two apart; they share the VAE."""
    parts: tuple[tuple[str, nn.Module, str], ...] = (
        (transformer.PREFIX, VideoTransformer(_transformer(sizes)), "transformer"),
        (connector.PREFIXES[0], Connector(_connector(sizes)), "connector"),
        (features.PREFIX, FeatureExtractor(_projected(sizes), sizes.caption_width), "projection"),
        (decoder.PREFIX, Decoder(_decoder(sizes)), "decoder"),
        (statistics.PREFIX, PerChannelStatistics(sizes.latent_channels), "statistics"),
    )
    shared = ("decoder", "statistics")
    return {
        prefix + name: _tensor(f"{part}/{name}", shape, "" if part in shared else f"{model}/")
        for prefix, module, part in parts
        for name, shape in _stored_shapes(module)
    }


def distilled_lora(sizes: Sizes) -> Tensors:
    """A pair for every linear layer of the video transformer; the published file's audio pairs are left out."""
    tensors: Tensors = {}
    for path, module in VideoTransformer(_transformer(sizes)).named_modules():
        if isinstance(module, nn.Linear):
            outputs, inputs = module.weight.shape
            rank = min(sizes.lora_rank, outputs, inputs)
            for half, shape in ((lora.A, (rank, inputs)), (lora.B, (outputs, rank))):
                tensors[f"{lora.PREFIX}{path}{half}"] = _tensor(f"lora/{path}{half}", shape)
    return tensors


def upscaler(sizes: Sizes) -> Tensors:
    network = Upsampler(UpsamplerConfig.from_json(json_config.upscaler(sizes), source="random"))
    return {name: _tensor(f"upscaler/{name}", shape) for name, shape in _stored_shapes(network)}


def gemma(sizes: Sizes) -> Tensors:
    """The text model as mlx-lm quantizes it: matrices and embedding packed, norms in bfloat16."""
    settings = gemma_config(sizes)
    model = architecture(settings)
    nn.quantize(model, sizes.gemma_group, sizes.gemma_bits)
    parameters = named_parameters(model)
    return dict(_gemma_tensors(parameters, sizes))


def gemma_config(sizes: Sizes) -> GemmaConfig:
    return GemmaConfig.from_json(gemma_fields(sizes), source="random Gemma")


def gemma_fields(sizes: Sizes) -> dict[str, object]:
    """What config.json of the folder holds."""
    fields = gemma_json.config(sizes)
    vocabulary = {"vocab_size": sizes.gemma_vocabulary}
    quantization = {"group_size": sizes.gemma_group, "bits": sizes.gemma_bits}
    return {
        **fields,
        **vocabulary,
        "text_config": {**fields["text_config"], **vocabulary},
        "quantization": quantization,
    }


def _gemma_tensors(parameters: Mapping[str, mx.array], sizes: Sizes) -> Iterator[tuple[str, Tensor]]:
    bits = sizes.gemma_bits
    for name, array in parameters.items():
        path, _, kind = name.rpartition(".")
        label = f"gemma/{name}"
        if f"{path}.scales" not in parameters:
            yield name, Tensor(array.shape, "BF16", gemma_norm(name), label)
            continue
        steps = scales(parameters[f"{path}.scales"].shape[-1] * sizes.gemma_group, bits)
        if kind == "weight":
            yield name, Tensor(array.shape, "U32", Special.BITS, label)
        else:
            drawn = steps if kind == "scales" else offsets(steps, bits)
            yield name, Tensor(array.shape, "BF16", drawn, f"gemma/{path}.scales")


def _tensor(name: str, shape: Shape, scope: str = "") -> Tensor:
    """As published: modulation tables in F32, everything else in BF16."""
    dtype = "F32" if "scale_shift_table" in name else "BF16"
    return Tensor(shape, dtype, initial(name, shape), scope + name)


def _stored_shapes(module: nn.Module) -> Iterator[tuple[str, Shape]]:
    """Convolutions as files hold them, [O,I,...], where MLX has [O,...,I]."""
    for name, array in named_parameters(module).items():
        shape = tuple(array.shape)
        yield name, (shape[0], shape[-1], *shape[1:-1]) if len(shape) > 3 else shape


def _transformer(sizes: Sizes) -> TransformerConfig:
    return TransformerConfig(
        num_attention_heads=sizes.heads,
        attention_head_dim=sizes.head_dim,
        num_layers=sizes.blocks,
        in_channels=sizes.latent_channels,
        out_channels=sizes.latent_channels,
        caption_channels=sizes.caption_width,
    )


def _connector(sizes: Sizes) -> ConnectorConfig:
    return ConnectorConfig(
        layers=sizes.connector_blocks,
        registers=sizes.registers,
        heads=sizes.connector_heads,
        head_dim=sizes.connector_head_dim,
    )


def _projected(sizes: Sizes) -> int:
    """Gemma's hidden states, the embedding among them, side by side."""
    return sizes.gemma_width * (sizes.gemma_layers + 1)


def _decoder(sizes: Sizes) -> DecoderConfig:
    return DecoderConfig.from_json(json_config.vae(sizes), source="random")


FILES: Mapping[str, Callable[[Sizes], Tensors]] = {
    "dev": lambda sizes: unified(sizes, "dev"),
    "distilled": lambda sizes: unified(sizes, "distilled"),
    "distilled-lora": distilled_lora,
    "upscaler": upscaler,
    "gemma": gemma,
}
"""By the registry's names."""
