"""Which keys stand in which file of LTX-2, and which version a file is of. Reads names only and imports no MLX.

Source: the parameter names of the official classes (ltx_core) at the 19B configuration. Every tensor of a file has to
be known, whether it is used here or not: one that is not may be what makes the result wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from ltxbench.errors import WeightsError

AUDIO_MARKS = ("audio", "a2v", "v2a", "av_ca")
"""Every transformer key of the audio half holds one of these, no key of the video half does."""

TRANSFORMER = "model.diffusion_model."
VIDEO_CONNECTOR = "video_embeddings_connector."
AUDIO_CONNECTOR = "audio_embeddings_connector."
PROJECTION = "text_embedding_projection."


def is_audio(key: str) -> bool:
    return any(mark in key for mark in AUDIO_MARKS)


class Kind(StrEnum):
    UNIFIED = "unified checkpoint"
    LORA = "LoRA"
    UPSCALER = "latent upscaler"


class Version(StrEnum):
    V2_0 = "2.0"
    V2_3 = "2.3"
    V2_5 = "2.5"


class Group(StrEnum):
    """Parts of a unified checkpoint, in the order in which they are shown."""

    TRANSFORMER_VIDEO = "transformer, video"
    TRANSFORMER_AUDIO = "transformer, audio"
    VIDEO_CONNECTOR = "video connector"
    AUDIO_CONNECTOR = "audio connector"
    PROJECTION = "text projection"
    VAE_ENCODER = "VAE encoder"
    VAE_DECODER = "VAE decoder"
    VAE_STATISTICS = "VAE statistics"
    AUDIO_VAE = "audio VAE"
    VOCODER = "vocoder"
    UNKNOWN = "unknown"


USED = (
    Group.TRANSFORMER_VIDEO,
    Group.VIDEO_CONNECTOR,
    Group.PROJECTION,
    Group.VAE_DECODER,
    Group.VAE_STATISTICS,
)
"""What text to video reads; a file without one of these is of no use."""

_WB = r"(weight|bias)"
_ATTENTION = rf"(q_norm\.weight|k_norm\.weight|(to_q|to_k|to_v|to_out\.0)\.{_WB})"
_FEED_FORWARD = rf"net\.(0\.proj|2)\.{_WB}"
_ADALN = rf"(linear|emb\.timestep_embedder\.linear_[12])\.{_WB}"
_ENDS = rf"((patchify_proj|proj_out|caption_projection\.linear_[12])\.{_WB}|adaln_single\.{_ADALN}|scale_shift_table)"
_CONNECTOR = rf"(learnable_registers|transformer_1d_blocks\.\d+\.(attn1\.{_ATTENTION}|ff\.{_FEED_FORWARD}))"
_VIDEO_BLOCK = rf"(scale_shift_table|attn[12]\.{_ATTENTION}|ff\.{_FEED_FORWARD})"
_AUDIO_BLOCK = (
    rf"(audio_scale_shift_table|scale_shift_table_a2v_ca_(audio|video)|audio_ff\.{_FEED_FORWARD}"
    rf"|(audio_attn[12]|audio_to_video_attn|video_to_audio_attn)\.{_ATTENTION})"
)
_AV_GATES = rf"av_ca_(video_scale_shift|audio_scale_shift|a2v_gate|v2a_gate)_adaln_single\.{_ADALN}"
_AUDIO_STAGE = r"(down|up)\.\d+\.(block\.\d+\.(conv[12]|nin_shortcut)|downsample|upsample\.conv)"

_PATTERNS = {
    Group.TRANSFORMER_VIDEO: rf"model\.diffusion_model\.({_ENDS}|transformer_blocks\.\d+\.{_VIDEO_BLOCK})",
    Group.TRANSFORMER_AUDIO: (
        rf"model\.diffusion_model\.(audio_{_ENDS}|{_AV_GATES}|transformer_blocks\.\d+\.{_AUDIO_BLOCK})"
    ),
    Group.VIDEO_CONNECTOR: rf"model\.diffusion_model\.video_embeddings_connector\.{_CONNECTOR}",
    Group.AUDIO_CONNECTOR: rf"model\.diffusion_model\.audio_embeddings_connector\.{_CONNECTOR}",
    Group.PROJECTION: r"text_embedding_projection\.aggregate_embed\.weight",
    Group.VAE_ENCODER: (
        rf"vae\.encoder\.(conv_in|conv_out|down_blocks\.\d+\.(res_blocks\.\d+\.conv[12]|conv))\.conv\.{_WB}"
    ),
    Group.VAE_DECODER: (
        rf"vae\.decoder\.(conv_in|conv_out|up_blocks\.\d+\.(res_blocks\.\d+\.conv[12]|conv))\.conv\.{_WB}"
    ),
    Group.VAE_STATISTICS: (
        r"vae\.per_channel_statistics\.(mean-of-means|std-of-means|mean-of-stds|mean-of-stds_over_std-of-means|channel)"
    ),
    Group.AUDIO_VAE: (
        r"audio_vae\.(per_channel_statistics\.(mean-of-means|std-of-means)"
        rf"|(encoder|decoder)\.(conv_in|conv_out|mid\.block_[12]\.conv[12]|{_AUDIO_STAGE})\.conv\.{_WB})"
    ),
    Group.VOCODER: rf"vocoder\.(conv_pre|conv_post|ups\.\d+|resblocks\.\d+\.convs[12]\.\d+)\.{_WB}",
}
_COMPILED = {group: re.compile(pattern) for group, pattern in _PATTERNS.items()}
_LORA = re.compile(r".*\.lora_[AB]\.weight")
_UPSCALER_KEYS = {"initial_conv.weight", "initial_norm.weight", "final_conv.weight"}


def group_of(key: str) -> Group:
    return next((group for group, pattern in _COMPILED.items() if pattern.fullmatch(key)), Group.UNKNOWN)


def kind_of(keys: Iterable[str]) -> Kind | None:
    """What a file is, told by its keys. None for a file of another sort."""
    present = set(keys)
    if any(key.startswith(TRANSFORMER) for key in present):
        return Kind.UNIFIED
    if any(_LORA.fullmatch(key) for key in present):
        return Kind.LORA
    return Kind.UPSCALER if present >= _UPSCALER_KEYS else None


def version_of(keys: Iterable[str], config: Mapping[str, Any], metadata: Mapping[str, str]) -> Version | None:
    """Told by the keys, else by the configuration, else by the metadata's model_version. None if nothing tells."""
    present = set(keys)
    return _version_by_keys(present) or _version_by_config(config) or _version_by_metadata(metadata)


def _version_by_keys(keys: set[str]) -> Version | None:
    first_block = f"{TRANSFORMER}transformer_blocks.0."
    if any(key.endswith("keyframes_abs_pos_embedding") or "duration_head" in key for key in keys):
        return Version.V2_5
    if f"{first_block}attn1.to_gate_logits.weight" in keys:
        return Version.V2_3 if f"{first_block}ff.net.0.proj.bias" in keys else Version.V2_5
    if f"{PROJECTION}video_aggregate_embed.weight" in keys or f"{TRANSFORMER}prompt_adaln_single.linear.weight" in keys:
        return Version.V2_3
    if f"{TRANSFORMER}caption_projection.linear_1.weight" in keys:
        return Version.V2_0
    return None


def _version_by_config(config: Mapping[str, Any]) -> Version | None:
    transformer = config.get("transformer")
    if not isinstance(transformer, Mapping) or not transformer:
        return None
    if transformer.get("ff_bias") is False:
        return Version.V2_5
    newer = ("caption_proj_before_connector", "apply_gated_attention", "cross_attention_adaln")
    if any(transformer.get(name) is True for name in newer):
        return Version.V2_3
    return Version.V2_0 if "caption_channels" in transformer else None


def _version_by_metadata(metadata: Mapping[str, str]) -> Version | None:
    """2.0 files carry none; a patch level such as 2.3.1 is of its minor version."""
    numbers = metadata.get("model_version", "").split(".")[:2]
    return next((version for version in Version if version.value.split(".") == numbers), None)


def check_unified(
    source: str, shapes: Mapping[str, Sequence[int]], config: Mapping[str, Any], metadata: Mapping[str, str]
) -> None:
    """Raises WeightsError unless this is a 2.0 file whose keys are all known and none of whose parts is torn.

    The shapes of the parts that are used are checked when they are loaded; of the others only the names.
    """
    version = version_of(shapes, config, metadata)
    if version not in (None, Version.V2_0):
        raise WeightsError(
            f"{source}: an LTX-{version} checkpoint; only LTX-2.0 (19B) is supported",
            hint="Use ltx-2-19b-dev.safetensors or ltx-2-19b-distilled.safetensors.",
        )
    present: dict[Group, list[str]] = {}
    for key in shapes:
        present.setdefault(group_of(key), []).append(key)
    if unknown := sorted(present.get(Group.UNKNOWN, [])):
        raise WeightsError(f"{source}: {_listed(unknown)} not part of LTX-2.0")
    if absent := [group.value for group in USED if group not in present]:
        raise WeightsError(f"{source}: no tensors of {', '.join(absent)}; not a complete unified checkpoint")
    _check_text_path(source, shapes)
    blocks = {found[1] for key in shapes if (found := _BLOCK.match(key))}
    layers = _layers(config)
    if layers is not None and blocks != {str(number) for number in range(min(layers, len(blocks) + 1))}:
        raise WeightsError(f"{source}: {len(blocks)} transformer blocks, but the configuration says {layers}")
    if missing := sorted(_expected_names(blocks, present) - shapes.keys()):
        raise WeightsError(f"{source}: {_listed(missing)} missing")


_TEXT_PATH = {
    f"{PROJECTION}aggregate_embed.weight": 0,
    f"{TRANSFORMER}{VIDEO_CONNECTOR}learnable_registers": 1,
    f"{TRANSFORMER}caption_projection.linear_1.weight": 1,
}
"""Tensor to the axis that is the text features' width: three parts that no single one of them can check."""


def _check_text_path(source: str, shapes: Mapping[str, Sequence[int]]) -> None:
    found = {key: shapes[key] for key in _TEXT_PATH if key in shapes}
    widths = {shape[_TEXT_PATH[key]] if len(shape) == 2 else None for key, shape in found.items()}
    if len(widths) > 1 or None in widths:
        listing = ", ".join(f"{key} {tuple(shape)}" for key, shape in found.items())
        raise WeightsError(f"{source}: the parts of the text path do not fit together: {listing}")


_BLOCK = re.compile(r"model\.diffusion_model\.transformer_blocks\.(\d+)\.")


def _layers(config: Mapping[str, Any]) -> int | None:
    transformer = config.get("transformer")
    layers = transformer.get("num_layers") if isinstance(transformer, Mapping) else None
    return layers if isinstance(layers, int) else None


def _expected_names(numbers: Iterable[str], present: Mapping[Group, Sequence[str]]) -> set[str]:
    """Of the transformer: the video half, and the audio half if there is any of it."""
    names = {TRANSFORMER + name for name in _end_names()}
    blocks = list(_block_names(("attn1", "attn2"), "ff", ("scale_shift_table",)))
    if Group.TRANSFORMER_AUDIO in present:
        names |= {f"{TRANSFORMER}audio_{name}" for name in _end_names()}
        gates = ("video_scale_shift", "audio_scale_shift", "a2v_gate", "v2a_gate")
        names |= {f"{TRANSFORMER}av_ca_{gate}_adaln_single.{name}" for gate in gates for name in _ADALN_NAMES}
        attentions = ("audio_attn1", "audio_attn2", "audio_to_video_attn", "video_to_audio_attn")
        tables = ("audio_scale_shift_table", "scale_shift_table_a2v_ca_audio", "scale_shift_table_a2v_ca_video")
        blocks += _block_names(attentions, "audio_ff", tables)
    return names | {f"{TRANSFORMER}transformer_blocks.{number}.{name}" for number in numbers for name in blocks}


def _both(*layers: str) -> list[str]:
    return [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]


_ADALN_NAMES = _both("linear", "emb.timestep_embedder.linear_1", "emb.timestep_embedder.linear_2")


def _end_names() -> list[str]:
    projections = _both("patchify_proj", "proj_out", "caption_projection.linear_1", "caption_projection.linear_2")
    return ["scale_shift_table", *projections, *(f"adaln_single.{name}" for name in _ADALN_NAMES)]


def _block_names(attentions: Sequence[str], feed_forward: str, tables: Sequence[str]) -> list[str]:
    names = [*tables, *(f"{feed_forward}.{name}" for name in _both("net.0.proj", "net.2"))]
    for attention in attentions:
        names += [f"{attention}.q_norm.weight", f"{attention}.k_norm.weight"]
        names += [f"{attention}.{name}" for name in _both("to_q", "to_k", "to_v", "to_out.0")]
    return names


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"tensor {shown} is" if len(names) == 1 else f"tensors {shown}{_more(len(names) - 5)} are"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
