"""A folder with Gemma 3, as Google, transformers or mlx-lm write it: its configuration and the text model's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import FLOATS, Checkpoint
from ltxbench.model.tokenizer import read_json

PREFIXES = ("language_model.model.", "model.language_model.", "model.")
"""Of the text model: multimodal as published, multimodal as transformers 5 saves it, text alone."""
SKIPPED = (
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.multi_modal_projector.",
    "lm_head.",
    "language_model.lm_head.",
)
"""Images are not encoded, and Gemma 3's output head is its embedding."""
UNSUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "attention_bias": (None, False),
    "attn_logit_softcapping": (None,),
    "final_logit_softcapping": (None,),
    "use_bidirectional_attention": (None, False),
    "hidden_activation": (None, "gelu_pytorch_tanh"),
}
"""Options of the configuration, and the values of them that Gemma 3 has."""


@dataclass(frozen=True)
class GemmaConfig:
    """The names are mlx-lm's, the defaults transformers'."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    vocab_size: int | None
    """None: as many as the embedding has rows."""
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 256
    rms_norm_eps: float = 1e-6
    query_pre_attn_scalar: float = 256
    sliding_window: int = 4096
    sliding_window_pattern: int = 6
    """Every so many layers one sees everything."""
    rope_theta: float = 1e6
    rope_local_base_freq: float = 1e4
    rope_factor: float = 1.0
    """Positions of the global layers are divided by it."""
    max_position_embeddings: int = 131_072
    eos_ids: tuple[int, ...] = (1,)

    @classmethod
    def read(cls, folder: Path) -> GemmaConfig:
        """Raises WeightsError when config.json is missing or is not of a Gemma 3 that this program can run."""
        path = folder / "config.json"
        if not path.is_file():
            raise WeightsError(f"{path}: no such file", hint="A Gemma folder holds config.json and *.safetensors.")
        return cls.from_json(read_json(path), source=str(path))

    @classmethod
    def from_json(cls, whole: Mapping[str, Any], *, source: str) -> GemmaConfig:
        """As `read`, of the object that config.json holds."""
        nested = whole.get("text_config")
        config = nested if isinstance(nested, dict) else whole
        _refuse_other_models(config, whole, source)
        numbers = {
            name: _number(config, name, kind, source)
            for name, kind in _FIELDS.items()
            if config.get(name) is not None or name in _REQUIRED
        }
        numbers.setdefault("vocab_size", None)
        numbers.update(_rope(config, source))
        if "layer_types" in config:
            numbers["sliding_window_pattern"] = _pattern(config["layer_types"], source)
        eos = next((c["eos_token_id"] for c in (whole, config) if c.get("eos_token_id") is not None), 1)
        ids = tuple(i for i in (eos if isinstance(eos, list) else [eos]) if isinstance(i, int))
        return cls(**numbers, eos_ids=ids)


_REQUIRED = ("hidden_size", "intermediate_size", "num_hidden_layers")
_FIELDS: Mapping[str, type[int] | type[float]] = {
    **dict.fromkeys((*_REQUIRED, "vocab_size", "num_attention_heads", "num_key_value_heads", "head_dim"), int),
    **dict.fromkeys(("sliding_window", "sliding_window_pattern", "max_position_embeddings"), int),
    **dict.fromkeys(("rms_norm_eps", "query_pre_attn_scalar", "rope_theta", "rope_local_base_freq"), float),
}


def _refuse_other_models(config: Mapping[str, Any], whole: Mapping[str, Any], source: str) -> None:
    for name, allowed in {"model_type": (None, "gemma3", "gemma3_text"), **UNSUPPORTED}.items():
        if config.get(name) not in allowed:
            raise WeightsError(f"{source}: {name} is {config[name]!r}, which is not Gemma 3's")
    quantization = whole.get("quantization")
    if isinstance(quantization, Mapping) and quantization.get("mode", "affine") != "affine":
        raise WeightsError(
            f"{source}: the weights are quantized as {quantization['mode']!r}",
            hint="Take the bf16 checkpoint, or one of mlx-lm's affine ones (4 or 8 bit).",
        )


def _number(config: Mapping[str, Any], name: str, kind: type[int] | type[float], source: str) -> Any:
    value = config.get(name)
    allowed = int if kind is int else (int, float)
    if not isinstance(value, allowed) or isinstance(value, bool) or not 0 < value < 1e9:
        raise WeightsError(f"{source}: {name} is {value!r}, expected a positive number")
    return kind(value)


def _rope(config: Mapping[str, Any], source: str) -> dict[str, float]:
    """Both forms: rope_theta, rope_local_base_freq and rope_scaling, or (transformers 5) rope_parameters."""
    found: dict[str, float] = {}
    by_kind = _object(config.get("rope_parameters"), "rope_parameters", source) or {
        "full_attention": config.get("rope_scaling")
    }
    for kind, base in (("full_attention", "rope_theta"), ("sliding_attention", "rope_local_base_freq")):
        rope = _object(by_kind.get(kind), f"what is said of {kind}'s positions", source)
        form = rope.get("rope_type", rope.get("type", "default"))
        if form not in ("default", "linear") or (form == "linear" and kind == "sliding_attention"):
            raise WeightsError(f"{source}: {kind} has positions scaled as {form!r}, which is not Gemma 3's")
        if form == "linear":
            found["rope_factor"] = _number(rope, "factor", float, source)
        if "rope_theta" in rope:
            found[base] = _number(rope, "rope_theta", float, source)
    return found


def _object(value: Any, name: str, source: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WeightsError(f"{source}: {name} is no JSON object")
    return value


def _pattern(layer_types: Any, source: str) -> int:
    """n when each n-th layer is a global one and no other is."""
    kinds = layer_types if isinstance(layer_types, list) else []
    pattern = kinds.index("full_attention") + 1 if "full_attention" in kinds else len(kinds) + 1
    regular = ["sliding_attention" if (i + 1) % pattern else "full_attention" for i in range(len(kinds))]
    if not kinds or kinds != regular:
        raise WeightsError(f"{source}: layer_types is not a regular pattern of sliding and full attention")
    return pattern


def read_tensors(folder: Path) -> dict[str, mx.array]:
    """Lazy arrays of the text model under the names `layers.0.…`, `embed_tokens.…`, `norm.weight`.

    Raises WeightsError for a missing or invalid file, and for a tensor that is neither the text model's nor known
    to be left out.
    """
    tensors: dict[str, mx.array] = {}
    for path in _shards(folder):
        checkpoint = Checkpoint(path)
        for key, array in checkpoint.tensors("", _is_skipped, dtypes=(*FLOATS, "U32")).items():
            prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
            if prefix is None:
                raise WeightsError(f"{path}: tensor {key} is not part of Gemma 3")
            name = key.removeprefix(prefix)
            if name in tensors:
                raise WeightsError(f"{path}: tensor {key} is in the folder twice")
            tensors[name] = array
    return tensors


def _is_skipped(key: str) -> bool:
    return key.startswith(SKIPPED)


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        places = read_json(index).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(n, str) and n == Path(n).name for n in places.values()):
            raise WeightsError(f"{index}: weight_map does not map tensors to files of this folder")
        return [folder / name for name in sorted(set(places.values()))]
    found = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("*.safetensors"))
    if not found:
        raise WeightsError(f"{folder}: no safetensors file in the folder", hint="`ltxbench models list` says more.")
    return found
