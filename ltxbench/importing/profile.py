"""The profile that `ltx-video generate --profile` prints, and its abridged forms on pages.

Read off ltx-video-swift-mlx's Sources/LTXVideoCLI/LTXVideoCLI.swift (version 0.1, `--- Profiling ---`) and
Sources/LTXVideo/Utils/Profiling/ProfilingSession.swift (the boxed report of later versions). Its MB are 2^20 bytes
(GenerationTimings.sampleMemory); "mean" is of MLX's active memory after each denoising step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ltxbench.importing.quantity import DURATION, SIZE, Quantity, duration, size

MAX_STEPS = 10_000

_STEP = re.compile(rf"\bStep\s+(\d{{1,5}})\s*:\s*({DURATION})", re.IGNORECASE)
_RANGE = re.compile(
    rf"\bSteps?\s+(\d{{1,5}})\s*(?:-|–|—|to|\.\.\.?)\s*(\d{{1,5}})\s*:\s*({DURATION})[^\n]*?", re.IGNORECASE
)
_STAGE = re.compile(r"^Stage\s+(\d)\b[^:]*:\s*$", re.IGNORECASE)
_STAGE_SIZE = re.compile(r"(\d{1,5})\s*[x×]\s*(\d{1,5})")
_STEPS = re.compile(r"(\d{1,5})\s+steps?\b", re.IGNORECASE)
_LINE = re.compile(rf"^([^:]*?(?:\([^)]*\))?[^:]*):\s*({DURATION}|{SIZE})(.*)$")
_ROW = re.compile(rf"^([A-Za-z][^%]*?)\s+({DURATION})\s+\d+(?:\.\d+)?%")
_STAGE_AVERAGE = re.compile(rf"^Average(?: per step)?:\s*({DURATION})\s*/\s*step", re.IGNORECASE)

DURATIONS = {
    "quantization": r"transformer quanti[sz]ation|quanti[sz]e transformer",
    "enhancement": r"(?:prompt )?enhancement|vlm\b.*",
    "encoding": r"text encoding\b",
    "denoising": r"denoising\b(?!.*step \d)",
    "average": r"average per step|average step(?: time)?|average",
    "upscaling": r"(?:latent |spatial )?upscal\w*(?: time)?",
    "decoding": r"vae decod\w*",
    "export": r"video export|export",
    "loading": r"model loading",
    "total": r"pipeline total\b|total$",
    "generation": r"generation time",
}
SIZES = {
    "peak": r"peak (?:gpu|mlx active) ?(?:memory)?",
    "mean": r"mean gpu memory",
    "footprint": r"peak process",
}
LABELS = {
    "quantization": "quantization",
    "enhancement": "prompt enhancement",
    "encoding": "text encoding",
    "denoising": "denoising",
    "average": "average per step",
    "upscaling": "upscaling",
    "decoding": "VAE decoding",
    "export": "video export",
    "loading": "model loading",
    "total": "pipeline total",
    "generation": "generation time",
    "peak": "peak GPU memory",
    "mean": "mean GPU memory",
    "footprint": "peak of the process",
}


@dataclass(frozen=True)
class StepRange:
    """Several steps that share one figure: `Step 2-7: ~2.4s each`."""

    first: int
    last: int
    each: Quantity


@dataclass(frozen=True)
class StageHeading:
    number: int
    steps: int | None
    size: tuple[int, int] | None
    first_step: int | None
    """Index of the first step that is stated under it."""
    average: Quantity | None


@dataclass
class Profile:
    """What was printed. A figure that was not is missing from `figures`."""

    figures: dict[str, Quantity] = field(default_factory=dict)
    """By the names of DURATIONS (seconds) and SIZES (bytes)."""
    steps: dict[int, Quantity] = field(default_factory=dict)
    ranges: list[StepRange] = field(default_factory=list)
    stages: list[StageHeading] = field(default_factory=list)
    step_count: int | None = None
    """As announced in `Denoising (8 steps)`."""
    phases: list[tuple[str, Quantity]] = field(default_factory=list)
    """Of the boxed report: names in its own words, in order."""

    def get(self, name: str) -> Quantity | None:
        return self.figures.get(name)

    def seconds(self, name: str) -> float | None:
        found = self.figures.get(name)
        return found.value if found is not None else None

    @property
    def empty(self) -> bool:
        return not (self.figures or self.steps or self.ranges)

    @property
    def published(self) -> dict[str, str]:
        """Every figure verbatim, by a plain label."""
        words = {LABELS[name]: quantity.text for name, quantity in self.figures.items()}
        if self.step_count is not None:
            words["denoising steps"] = str(self.step_count)
        for stage in self.stages:
            if stage.average is not None:
                words[f"average per step, stage {stage.number}"] = stage.average.text
        words |= {f"step {index}": quantity.text for index, quantity in sorted(self.steps.items())}
        words |= {f"steps {part.first}-{part.last}, each": part.each.text for part in self.ranges}
        return words


def parse_profile(text: str) -> Profile:
    """Reads every line that it knows and passes over the rest; never raises."""
    profile = Profile()
    for raw in text.splitlines():
        line = raw.strip().strip("│|").strip()
        if line and not line.startswith("["):
            _read(line, profile)
    return profile


def _read(line: str, profile: Profile) -> None:
    if stage := _STAGE.match(line):
        _open_stage(int(stage[1]), line, profile)
        return
    if average := _STAGE_AVERAGE.match(line):
        quantity = duration(average[1])
        if profile.stages and quantity is not None:
            last = profile.stages[-1]
            profile.stages[-1] = StageHeading(last.number, last.steps, last.size, last.first_step, quantity)
        return
    if _steps(line, profile):
        return
    if row := _ROW.match(line):
        quantity = duration(row[2])
        if quantity is not None:
            _phase(row[1].strip(), quantity, profile)
        return
    if match := _LINE.match(line):
        _figure(match[1].strip(), match[2], profile)


def _open_stage(number: int, line: str, profile: Profile) -> None:
    width_height = _STAGE_SIZE.search(line)
    steps = _STEPS.search(line)
    profile.stages.append(
        StageHeading(
            number=number,
            steps=int(steps[1]) if steps else None,
            size=(int(width_height[1]), int(width_height[2])) if width_height else None,
            first_step=None,
            average=None,
        )
    )


def _steps(line: str, profile: Profile) -> bool:
    """Single steps and ranges of steps, any number in a line. A stage that counts from 0 again goes on counting."""
    ranges = list(_RANGE.finditer(line))
    singles = [
        match
        for match in _STEP.finditer(line)
        if not any(part.start() <= match.start() < part.end() for part in ranges)
    ]
    found = sorted([*singles, *ranges], key=lambda match: match.start())
    for match in found:
        quantity = duration(match[3] if match in ranges else match[2])
        if quantity is None:
            continue
        offset = _offset(int(match[1]), profile)
        if match in ranges:
            profile.ranges.append(StepRange(int(match[1]) + offset, int(match[2]) + offset, quantity))
        elif int(match[1]) + offset < MAX_STEPS:
            profile.steps[int(match[1]) + offset] = quantity
    return bool(found)


def _offset(index: int, profile: Profile) -> int:
    """How many steps come before this stage's own count, where the stage counts from 0."""
    if not profile.stages:
        return 0
    stage = profile.stages[-1]
    before = sum(earlier.steps or 0 for earlier in profile.stages[:-1])
    if stage.first_step is None:
        first = max(index, before)
        profile.stages[-1] = StageHeading(stage.number, stage.steps, stage.size, first, stage.average)
        return first - index
    return before if index < before else 0


def _phase(name: str, quantity: Quantity, profile: Profile) -> None:
    """Of the boxed report. A name that occurs in parts adds up; the parts stay as they are printed."""
    profile.phases.append((name, quantity))
    known = _known(name, DURATIONS)
    if known is None or known == "average":
        return
    before = profile.figures.get(known)
    if before is None:
        profile.figures[known] = quantity
    else:
        value, rounding = before.value + quantity.value, before.rounding + quantity.rounding
        text = f"{before.text} + {quantity.text}"
        profile.figures[known] = Quantity(text, value, rounding, before.approximate or quantity.approximate)


def _figure(label: str, printed: str, profile: Profile) -> None:
    if (name := _known(label, SIZES)) is not None and (bytes_ := size(printed)) is not None:
        profile.figures.setdefault(name, bytes_)
    elif (name := _known(label, DURATIONS)) is not None and (seconds := duration(printed)) is not None:
        if name == "denoising" and (steps := _STEPS.search(label)):
            profile.step_count = int(steps[1])
        profile.figures.setdefault(name, seconds)


def _known(label: str, patterns: dict[str, str]) -> str | None:
    return next((name for name, pattern in patterns.items() if re.match(pattern, label, re.IGNORECASE)), None)
