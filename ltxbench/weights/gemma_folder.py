"""The JSON files of a Gemma folder, as strangers may have written them. Imports no MLX, and runs nothing.

Only numbers, words and a vocabulary are taken from them: what names code (`auto_map`, `model_file`) is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ltxbench.errors import WeightsError
from ltxbench.matrix.problems import quoted
from ltxbench.weights.header import read_header
from ltxbench.weights.strict_json import read_object

MIB = 1 << 20
CAPS = {
    "config.json": 1 * MIB,
    "generation_config.json": 1 * MIB,
    "tokenizer_config.json": 16 * MIB,
    "model.safetensors.index.json": 16 * MIB,
    "tokenizer.json": 128 * MIB,
}
"""The files that are read, and several times what Gemma 3's own take."""
MAX_TOKEN_ID = (1 << 24) - 1
EMBEDDING = "embed_tokens.weight"


BOUNDS = {
    "hidden_size": 1 << 16,
    "intermediate_size": 1 << 18,
    "num_hidden_layers": 512,
    "vocab_size": MAX_TOKEN_ID + 1,
    "num_attention_heads": 1 << 10,
    "num_key_value_heads": 1 << 10,
    "head_dim": 1 << 12,
    "sliding_window": 1 << 24,
    "sliding_window_pattern": 512,
    "max_position_embeddings": 1 << 26,
}
"""Of the configuration's numbers: a hostile one must not build a model that fills the memory."""
OBJECTS = ("text_config", "rope_scaling", "rope_parameters", "quantization")


class _AddedToken(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: Annotated[int, Field(ge=0, le=MAX_TOKEN_ID, strict=True)]
    content: Annotated[str, Field(max_length=1_000)]


class _Tokenizer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    added_tokens: Annotated[list[_AddedToken], Field(max_length=100_000)] = []
    model: dict[str, Any]


def check_gemma(folder: Path) -> None:
    """Raises WeightsError for a file that is too large, not of the expected form, or does not fit its neighbours."""
    contents = {name: read_object(folder / name, most) for name, most in CAPS.items() if (folder / name).exists()}
    if "config.json" in contents:
        _check_config(contents["config.json"], folder / "config.json")
    if "tokenizer.json" in contents:
        path = folder / "tokenizer.json"
        _check_tokenizer(contents["tokenizer.json"], path, _embedding_rows(folder))
    if "model.safetensors.index.json" in contents:
        _check_index(contents["model.safetensors.index.json"], folder / "model.safetensors.index.json")


def _check_config(content: Mapping[str, Any], path: Path) -> None:
    for name in OBJECTS:
        if not isinstance(content.get(name) or {}, dict):
            raise WeightsError(f"{path}: `{name}` is not an object")
    for name, most in BOUNDS.items():
        value = content.get(name)
        if value is not None and not (type(value) is int and 0 < value <= most):
            raise WeightsError(f"{path}: `{name}` is {quoted(str(value))}, not a whole number from 1 to {most:,}")
    if not all(isinstance(rope or {}, dict) for rope in _ropes(content)):
        raise WeightsError(f"{path}: `rope_parameters` does not map kinds of attention to objects")
    if "text_config" in content:
        _check_config(content["text_config"] or {}, path)


def _ropes(content: Mapping[str, Any]) -> list[Any]:
    parameters = content.get("rope_parameters") or {}
    return [parameters.get(kind) for kind in ("full_attention", "sliding_attention")]


def _check_tokenizer(content: Mapping[str, Any], path: Path, rows: int | None) -> None:
    tokenizer = _validated(content, path)
    if next(_patterns([content.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]), None) is not None:
        raise WeightsError(
            f"{path}: holds a regular expression, of which Gemma's tokenizer has none",
            hint="One can be written so that a prompt takes for ever. Take tokenizer.json from Google's repository.",
        )
    vocabulary = tokenizer.model.get("vocab")
    if isinstance(vocabulary, Mapping):
        ids = [*vocabulary.values()]
        if not all(type(number) is int and 0 <= number <= MAX_TOKEN_ID for number in ids):
            raise WeightsError(f"{path}: its vocabulary does not map tokens to whole numbers up to {MAX_TOKEN_ID:,}")
    elif isinstance(vocabulary, list):
        ids = [len(vocabulary) - 1]
    else:
        raise WeightsError(f"{path}: it has no vocabulary")
    largest = max([*ids, *(token.id for token in tokenizer.added_tokens)], default=-1)
    if rows is not None and largest >= rows:
        raise WeightsError(
            f"{path}: token {largest:,} has no embedding, of which the weights have {rows:,}",
            hint="Tokenizer and weights are of different models.",
        )


def _patterns(parts: Any) -> Iterator[Any]:
    """Every regular expression in the parts that treat text, however deep; depth is bounded by the parser's."""
    if isinstance(parts, dict):
        if "Regex" in parts:
            yield parts
        parts = list(parts.values())
    if isinstance(parts, list):
        for part in parts:
            yield from _patterns(part)


def _embedding_rows(folder: Path) -> int | None:
    """Rows of the embedding in the folder's weights, quantized or not; None where no file has one."""
    for shard in sorted(folder.glob("*.safetensors")):
        for tensor in read_header(shard).tensors:
            if tensor.name.endswith(EMBEDDING) and "vision" not in tensor.name:
                return tensor.shape[0] if tensor.shape else None
    return None


def _check_index(content: Mapping[str, Any], path: Path) -> None:
    places = content.get("weight_map")
    plain = isinstance(places, dict) and all(
        isinstance(name, str) and name == Path(name).name and name.endswith(".safetensors") for name in places.values()
    )
    if not plain:
        raise WeightsError(f"{path}: weight_map does not map tensors to safetensors files of this folder")


def _validated(content: Mapping[str, Any], path: Path) -> _Tokenizer:
    try:
        return _Tokenizer.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WeightsError(f"{path}: {quoted(where)}: {first['msg']}") from None
