"""The keys of a matrix file: which mapping knows which, and how each value is read."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from pathlib import PurePath
from typing import NamedTuple

from ltxbench.matrix import kinds
from ltxbench.matrix.case import (
    SPATIAL_COMPRESSION,
    TEMPORAL_COMPRESSION,
    ExtraLora,
    LoraUse,
    Model,
    Quantization,
    QuantizedLayers,
    Schedule,
    Tiling,
)
from ltxbench.matrix.kinds import Read
from ltxbench.matrix.nodes import Mapping, Node, Scalar
from ltxbench.matrix.problems import MAX_FOUND, Mark, Mistake, Problems, did_you_mean, quoted

MAX_SIDE = 8192
MAX_FRAMES = 2049
MAX_STEPS = 1000
MAX_BLOCKS = 1000
MAX_SEED = 2**63 - 1
MAX_TITLE = 200
MAX_WORDS = 4_000
MAX_PROMPT = 50_000
MAX_BODY = 100_000
MAX_PATH = 1_024
"""Of texts, in characters. A sweep repeats its case's words up to 1,000 times; Gemma reads 1,024 tokens of a prompt."""

PICKLE_SUFFIXES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}


class Located(NamedTuple):
    """A value and the place in the file that gave it."""

    value: object
    at: Mark


Fields = dict[str, Located]
Keys = MappingType[str, Read]


def raw(node: Node) -> Node:
    """For values that are mappings or lists of mappings, read later."""
    return node


def extra_lora(node: Node) -> ExtraLora:
    """A path, or a path with a strength. Nothing is opened here, and no output is ever named after it."""
    if isinstance(node, Scalar):
        return ExtraLora(path=_weights_path(node))
    fields, mistakes = _read_entries(node, LORA)
    if mistakes:
        raise Mistake(mistakes[0].at, f"has a wrong entry: {mistakes[0].message}")
    return ExtraLora.model_validate({key: located.value for key, located in fields.items()})


def _weights_path(node: Node) -> str:
    path = str(kinds.text(most=MAX_PATH)(node))
    if PurePath(path).suffix.casefold() in PICKLE_SUFFIXES:
        raise Mistake(node.at, f"names {quoted(path)}, by its suffix a pickle, which can run code; give safetensors")
    return path


_STRENGTH = kinds.number(-10, 10)
_PIXELS = kinds.stepped(SPATIAL_COMPRESSION, MAX_SIDE, SPATIAL_COMPRESSION, 0, f"divisible by {SPATIAL_COMPRESSION}")

_TITLE = kinds.text(most=MAX_TITLE)
_WORDS = kinds.text(lines=True, most=MAX_WORDS)
_PROMPT = kinds.text(lines=True, most=MAX_PROMPT)

WORDS: Keys = {
    "group": kinds.optional(kinds.name),
    "summary": kinds.optional(_WORDS),
    "warning": kinds.optional(_WORDS),
    "notes": kinds.list_of(_WORDS, 20),
    "reference": kinds.optional(kinds.name),
}
"""What a case says about itself. It changes nothing that is computed."""

SETTINGS: Keys = {
    "model": kinds.choice(Model),
    "distilled_lora": kinds.choice({True: LoraUse.ALL, False: LoraUse.NONE, "stage-2": LoraUse.STAGE_2}),
    "lora_strength": _STRENGTH,
    "loras": kinds.list_of(extra_lora, 16),
    "two_stage": kinds.flag,
    "steps": kinds.integer(1, MAX_STEPS),
    "guidance": kinds.number(1, 100),
    "stg": kinds.number(0, 100),
    "stg_blocks": kinds.list_of(kinds.integer(0, MAX_BLOCKS - 1), MAX_BLOCKS, unique=True),
    "rescale": kinds.number(0, 1),
    "width": _PIXELS,
    "height": _PIXELS,
    "frames": kinds.stepped(
        1, MAX_FRAMES, TEMPORAL_COMPRESSION, 1, f"{TEMPORAL_COMPRESSION}n+1 (1, 9, 17, 25 and so on)"
    ),
    "fps": kinds.integer(1, 240),
    "seed": kinds.integer(0, MAX_SEED),
    "quantization": kinds.choice(Quantization),
    "quantized_layers": kinds.choice(QuantizedLayers),
    "tiling": kinds.choice(Tiling),
    "schedule": kinds.choice(Schedule),
    "upscale_adain": kinds.number(0, 1),
}
"""What decides the computation, named as in Case."""

SIZE: Keys = {"size": kinds.size}
"""`size: 768x512` is short for `width: 768` and `height: 512`."""


class Table(NamedTuple):
    """The keys that one kind of mapping may hold."""

    what: str
    keys: Keys
    required: tuple[str, ...] = ()


DEFAULTS = Table("`defaults`", {**WORDS, **SETTINGS, **SIZE})
CASE = Table("a case", {"name": kinds.name, "title": _TITLE, **DEFAULTS.keys, "sweep": raw})
VARIANT = Table("an axis value", {"label": kinds.name, "title": _TITLE, **DEFAULTS.keys}, ("label",))
GROUP = Table("a group", {"name": kinds.name, "title": _TITLE}, ("name", "title"))
SECTION = Table("a section", {"title": _TITLE, "body": kinds.text(lines=True, most=MAX_BODY)}, ("title", "body"))
_SHARE = kinds.limit(0.001, 1)
GATE_CASE = Table(
    "a case's gate",
    {
        "time": _SHARE,
        "generation": _SHARE,
        "step": _SHARE,
        "load": _SHARE,
        "memory": kinds.limit(0, 1),
        "footprint": kinds.limit(0, 1),
        "frames": kinds.limit(10, 100, "equal", "off"),
        "quality": kinds.limit(0, 100),
    },
)
"""`time` is short for `generation`, `step` and `load`, each of which holds over it."""
GATE = Table("`gate`", {**GATE_CASE.keys, "cases": raw})
LORA = Table("a LoRA", {"path": _weights_path, "strength": _STRENGTH}, ("path",))
FILE = Table(
    "a matrix file",
    {
        "matrix": kinds.name,
        "title": _TITLE,
        "prompt": _PROMPT,
        "enhance": kinds.flag,
        "enhanced": kinds.optional(_PROMPT),
        "negative_prompt": kinds.text(lines=True, blank=True, most=MAX_PROMPT),
        "stills": kinds.list_of(kinds.integer(0, MAX_FRAMES - 1), 24, unique=True),
        "groups": raw,
        "defaults": raw,
        "cases": raw,
        "sweep": raw,
        "sections": raw,
        "gate": raw,
    },
    ("matrix", "prompt"),
)


def read_fields(node: Node, table: Table, problems: Problems) -> Fields:
    """The known keys of a mapping. What is wrong goes to `problems`, and the key is left out."""
    fields, mistakes = _read_entries(node, table)
    for mistake in mistakes:
        problems.add(mistake.at, mistake.message)
    return fields


def _read_entries(node: Node, table: Table) -> tuple[Fields, list[Mistake]]:
    if not isinstance(node, Mapping):
        return {}, [Mistake(node.at, f"{table.what} is a mapping of keys to values, not {kinds.describe(node)}")]
    fields: Fields = {}
    mistakes: list[Mistake] = []
    seen: dict[str, Mark] = {}
    for key, value in node.entries:
        if len(mistakes) >= MAX_FOUND:
            break
        if key.text in seen:
            mistakes.append(Mistake(key.at, f"{quoted(key.text)} is given twice, first in line {seen[key.text].line}"))
            continue
        seen[key.text] = key.at
        read = table.keys.get(key.text)
        if read is None:
            mistakes.append(Mistake(key.at, unknown_key(key.text, table.what, table.keys)))
            continue
        try:
            _keep(fields, key.text, read(value), value.at)
        except Mistake as mistake:
            mistakes.append(Mistake(mistake.at, f"{quoted(key.text)} {mistake.message}"))
    if "size" in seen:
        mistakes += [
            Mistake(seen[side], f"`{side}` is given beside `size`, which sets it too")
            for side in ("width", "height")
            if side in seen
        ]
    mistakes += [Mistake(node.at, f"{table.what} needs `{key}`") for key in table.required if key not in seen]
    return fields, mistakes


def unknown_key(word: str, what: str, known: Iterable[str]) -> str:
    known = sorted(known)
    return f"{quoted(word)} is not a key of {what}{did_you_mean(word, known)}; allowed: {', '.join(known)}"


def _keep(fields: Fields, key: str, value: object, at: Mark) -> None:
    if key != "size":
        fields[key] = Located(value, at)
        return
    assert isinstance(value, tuple)
    for side, pixels in zip(("width", "height"), value, strict=True):
        try:
            fields[side] = Located(_PIXELS(Scalar(at, str(pixels), plain=True)), at)
        except Mistake as mistake:
            raise Mistake(at, f"has a {side} that {mistake.message}") from None
