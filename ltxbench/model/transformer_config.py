"""What the checkpoint says about its video transformer, checked against the tensors it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from ltxbench.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
E = TypeVar("E", bound=StrEnum)

# Official: ltx_core.model.transformer.model_configurator. One architecture is written down; these choose others.
CONSTANTS: dict[str, Any] = {
    "dropout": 0.0,
    "attention_bias": True,
    "num_vector_embeds": None,
    "activation_fn": "gelu-approximate",
    "num_embeds_ada_norm": 1000,
    "use_linear_projection": False,
    "only_cross_attention": False,
    "cross_attention_norm": True,
    "double_self_attention": False,
    "upcast_attention": False,
    "standardization_norm": "rms_norm",
    "norm_elementwise_affine": False,
    "qk_norm": "rms_norm",
    "positional_embedding_type": "rope",
    # LTX-2.3 and later.
    "apply_gated_attention": False,
    "cross_attention_adaln": False,
    "caption_proj_before_connector": False,
}
# What the official code takes for a field that a stored configuration lacks. The 19B's file states other values.
OFFICIAL_DEFAULTS: dict[str, Any] = {
    "rope_type": "interleaved",
    "frequencies_precision": "float32",
    "connector_positional_embedding_max_pos": [1],
}
AUDIO_CONSTANTS: dict[str, Any] = {
    "use_audio_video_cross_attention": True,
    "share_ff": False,
    "av_cross_ada_norm": True,
}


class RopeType(StrEnum):
    """Which two components of a head's vector are rotated together.

    split        component i with component i + half, within each head
    interleaved  components 2i and 2i + 1
    """

    SPLIT = "split"
    INTERLEAVED = "interleaved"


class Precision(StrEnum):
    """In which the frequency grid is computed, before it is stored as float32."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"


@dataclass(frozen=True)
class TransformerConfig:
    """The fields are the checkpoint's own; the defaults, those of a file without any configuration, are the 19B's."""

    num_attention_heads: int = 32
    attention_head_dim: int = 128
    num_layers: int = 48
    in_channels: int = 128
    out_channels: int = 128
    caption_channels: int = 3840
    norm_eps: float = 1e-6
    positional_embedding_theta: float = 10000.0
    positional_embedding_max_pos: tuple[float, ...] = (20, 2048, 2048)
    use_middle_indices_grid: bool = True
    rope_type: RopeType = RopeType.SPLIT
    frequencies_precision: Precision = Precision.FLOAT64
    timestep_scale_multiplier: float = 1000

    @property
    def dim(self) -> int:
        """Width of the residual stream."""
        return self.num_attention_heads * self.attention_head_dim

    @classmethod
    def from_checkpoint(cls, config: Mapping[str, Any], shapes: Shapes) -> TransformerConfig:
        """From a unified file's JSON configuration and the shapes of the tensors under the transformer's prefix.

        Raises WeightsError that names the field when one is ill-typed, contradicts the tensors, or asks for an
        architecture other than LTX-2 19B's.
        """
        fields = _Fields(transformer_section(config))
        fields.require(CONSTANTS)
        if any("audio" in key for key in shapes):
            fields.require(AUDIO_CONSTANTS)

        dim, in_channels = _matrix(shapes, "patchify_proj.weight")
        out_channels, _ = _matrix(shapes, "proj_out.weight")
        _, caption_channels = _matrix(shapes, "caption_projection.linear_1.weight")
        _, cross_attention_dim = _matrix(shapes, "transformer_blocks.0.attn2.to_k.weight")
        head_dim, heads = _heads(fields, dim)
        fields.agree("cross_attention_dim", cross_attention_dim)
        if cross_attention_dim != dim:
            raise WeightsError(f"transformer: the text enters with {cross_attention_dim} channels, expected {dim}")
        return cls(
            num_attention_heads=heads,
            attention_head_dim=head_dim,
            num_layers=fields.agree("num_layers", _count_blocks(shapes)),
            in_channels=fields.agree("in_channels", in_channels),
            out_channels=fields.agree("out_channels", out_channels),
            caption_channels=fields.agree("caption_channels", caption_channels),
            norm_eps=fields.number("norm_eps", cls.norm_eps),
            positional_embedding_theta=fields.number("positional_embedding_theta", cls.positional_embedding_theta),
            positional_embedding_max_pos=fields.numbers(
                "positional_embedding_max_pos", cls.positional_embedding_max_pos
            ),
            use_middle_indices_grid=fields.flag("use_middle_indices_grid", cls.use_middle_indices_grid),
            rope_type=fields.choice("rope_type", cls.rope_type),
            frequencies_precision=fields.choice("frequencies_precision", cls.frequencies_precision),
            timestep_scale_multiplier=fields.number("timestep_scale_multiplier", cls.timestep_scale_multiplier),
        )


def transformer_section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration's "transformer" object, completed as the official code does; empty when there is none.

    Raises WeightsError when it is not an object.
    """
    section = config.get("transformer", {})
    if not isinstance(section, Mapping):
        raise WeightsError("the configuration's transformer entry is not an object")
    if not section:
        return {}
    completed = {**OFFICIAL_DEFAULTS, **section}
    if not completed["frequencies_precision"]:  # the official code's own default is false, which is no name
        completed["frequencies_precision"] = OFFICIAL_DEFAULTS["frequencies_precision"]
    return completed


class _Fields:
    """Reads the section, raising WeightsError that names the field."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self._section = section

    def __contains__(self, name: str) -> bool:
        return name in self._section

    def require(self, constants: Mapping[str, Any]) -> None:
        for name, expected in constants.items():
            if name in self and self._section[name] != expected:
                raise WeightsError(
                    f"transformer.{name} is {self._section[name]!r}, expected {expected!r}",
                    hint="Only the LTX-2 19B architecture is supported.",
                )

    def agree(self, name: str, found: int) -> int:
        """The size that the tensors have, which the field must not contradict."""
        if name in self and self.count(name) != found:
            raise WeightsError(f"transformer.{name} is {self._section[name]}, but the tensors have {found}")
        return found

    def count(self, name: str) -> int:
        value = self._section[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(name, "a positive integer")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._section.get(name, default)
        if not _is_positive(value):
            raise self._wrong(name, "a positive number")
        return float(value)

    def numbers(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        value = self._section.get(name, default)
        if not isinstance(value, list | tuple) or len(value) != len(default) or not all(map(_is_positive, value)):
            raise self._wrong(name, f"{len(default)} positive numbers")
        return tuple(float(entry) for entry in value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._section.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def choice(self, name: str, default: E) -> E:
        value = self._section.get(name, default)
        kind = type(default)
        if value not in list(kind):
            raise self._wrong(name, " or ".join(kind))
        return kind(value)

    def _wrong(self, name: str, expected: str) -> WeightsError:
        return WeightsError(f"transformer.{name} is {self._section[name]!r}, expected {expected}")


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None:
        raise WeightsError(f"transformer: tensor {key} is missing")
    if len(shape) != 2:
        raise WeightsError(f"transformer: tensor {key} has shape {shape}, expected a matrix")
    return shape[0], shape[1]


def _heads(fields: _Fields, dim: int) -> tuple[int, int]:
    """(head_dim, heads) whose product is the width; the one that the configuration leaves out follows from it."""
    default = TransformerConfig()
    if "attention_head_dim" in fields:
        head_dim = fields.count("attention_head_dim")
    elif "num_attention_heads" in fields:
        head_dim = dim // fields.count("num_attention_heads")
    else:
        head_dim = default.attention_head_dim
    heads = fields.count("num_attention_heads") if "num_attention_heads" in fields else dim // max(head_dim, 1)
    if heads * head_dim != dim:
        raise WeightsError(
            f"transformer.num_attention_heads ({heads}) times attention_head_dim ({head_dim}) is not the tensors'"
            f" width, {dim}"
        )
    if head_dim % 2:
        raise WeightsError(f"transformer.attention_head_dim is {head_dim}, but rotation needs an even number")
    return head_dim, heads


def _count_blocks(shapes: Shapes) -> int:
    """Blocks are numbered from 0; a gap shows up as missing tensors when they are loaded."""
    numbers = (key.split(".")[1] for key in shapes if key.startswith("transformer_blocks."))
    return 1 + max(int(number) for number in numbers if number.isdecimal())
