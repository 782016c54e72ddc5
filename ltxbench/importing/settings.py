"""What a run of `ltx-video generate` was asked for, as its command line, its printed header or a table says."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields, replace
from typing import Any

PROGRAM = "ltx-video"

# Options of the program with a value: long name, field here, type.
_VALUES: dict[str, tuple[str, type]] = {
    "--model": ("model", str),
    "--steps": ("steps", int),
    "--guidance": ("guidance", float),
    "--width": ("width", int),
    "--height": ("height", int),
    "--frames": ("frames", int),
    "--seed": ("seed", int),
    "--output": ("output", str),
    "--transformer-quant": ("quantization", str),
    "--stg-scale": ("stg", float),
    "--stg-blocks": ("stg_blocks", str),
    "--guidance-rescale": ("rescale", float),
    "--lora": ("lora", str),
    "--lora-scale": ("lora_scale", float),
    "--negative-prompt": ("negative_prompt", str),
    "--cross-attn-scale": ("", str),
    "--ge-gamma": ("", str),
    "--image": ("", str),
    "--keyframe": ("", str),
    "--audio-gain": ("", str),
    "--bitrate": ("", str),
    "--hf-token": ("", str),
    "--gemma-path": ("", str),
    "--ltx-weights": ("", str),
    "--models-dir": ("", str),
}
_SHORT = {
    "-m": "--model",
    "-s": "--steps",
    "-g": "--guidance",
    "-w": "--width",
    "-h": "--height",
    "-f": "--frames",
    "-o": "--output",
}
_FLAGS = {"--two-stage": "two_stage", "--distilled-lora": "distilled_lora", "--enhance-prompt": "enhance"}
_WITHOUT_EFFECT = {"--profile", "--debug", "--beacon"}
_SECRET = {"--hf-token"}
_PRIVATE = {"--gemma-path", "--ltx-weights", "--models-dir"}


@dataclass(frozen=True)
class Settings:
    """None: not said."""

    prompt: str | None = None
    model: str | None = None
    distilled_lora: bool | None = None
    two_stage: bool | None = None
    steps: int | None = None
    guidance: float | None = None
    stg: float | None = None
    stg_blocks: str | None = None
    rescale: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    seed: int | None = None
    quantization: str | None = None
    enhance: bool | None = None
    lora: str | None = None
    lora_scale: float | None = None
    negative_prompt: str | None = None
    output: str | None = None
    others: tuple[str, ...] = ()
    """Options that have no counterpart here, as written: `--audio`, `--image x.png`."""

    def over(self, fallback: Settings) -> Settings:
        """These; what they do not say, as `fallback` does."""
        mine = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "others"}
        said = {name: value for name, value in mine.items() if value is not None}
        return replace(fallback, **said, others=tuple(dict.fromkeys([*fallback.others, *self.others])))


def find_command(text: str) -> str | None:
    """The first command line of the program in a script, continued lines joined; None where there is none."""
    joined = re.sub(r"\\\n\s*", " ", text)
    match = re.search(rf"^[^\n#]*?(\S*{PROGRAM}\s+generate\b[^\n]*)$", joined, re.MULTILINE)
    return match[1].strip() if match else None


def parse_command(command: str) -> Settings:
    """Of a whole command line or of a list of options. What cannot be read is passed over; never raises."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:  # a quotation that is never closed
        words = command.split()
    if "generate" in words:
        words = words[words.index("generate") + 1 :]
    found: dict[str, Any] = {}
    others: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        name, given, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name in _FLAGS:
            found[_FLAGS[name]] = True
        elif name in _VALUES:
            if not given:
                value = words[position] if position < len(words) else ""
                position += 1
            _keep(found, others, name, value)
        elif name.startswith("-"):
            if name not in _WITHOUT_EFFECT:
                others.append(word)
        elif not word.endswith(PROGRAM):
            found.setdefault("prompt", word)
    return Settings(**found, others=tuple(others))


def _keep(found: dict[str, Any], others: list[str], name: str, value: str) -> None:
    key, kind = _VALUES[name]
    if not key:
        others.append(name if name in _SECRET | _PRIVATE else f"{name} {value}")
        return
    try:
        found[key] = kind(value)
    except ValueError:
        others.append(f"{name} {value}")
