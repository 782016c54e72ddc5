"""The whole printed output of one `ltx-video generate`, complete or cut off, with or without `--debug`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ltxbench.importing.profile import Profile, parse_profile
from ltxbench.importing.quantity import SIZE, Quantity, duration, size
from ltxbench.importing.settings import PROGRAM, Settings, find_command, parse_command
from ltxbench.run.records import Outcome, Phase

TAIL_LINES = 20

_MARKER = re.compile(r"^-{2,}\s*Profiling\s*-{2,}\s*$|PROFILING REPORT", re.MULTILINE)
_HEADER = {
    "model": r"Model:\s*(distilled|dev)\b",
    "quantization": r"Transformer quantization:\s*([A-Za-z]\w*)\s*$",
    "output": r"Output:\s*(.+)$",
}
_NUMBERS = {"frames": r"Frames:\s*(\d+)", "seed": r"(?:Using seed|Seed):\s*(\d+)"}
_FLAGS = {
    "distilled_lora": r"Distilled LoRA: enabled",
    "two_stage": r"Two-stage: enabled|\(Two-Stage Distilled\)",
    "enhance": r"Prompt enhancement: enabled",
}
_RESOLUTION = re.compile(r"Resolution:\s*(\d+)x(\d+)")
_PROMPT = re.compile(r"^Prompt: (.*?)\n(?=(?:Output|Resolution|Frames|Model): )", re.MULTILINE | re.DOTALL)
_ENHANCED = re.compile(r'Enhanced prompt: "(.*?)"\s*$(?=\n\[|\n\Z|\Z)', re.MULTILINE | re.DOTALL)
# Lines that a run's output has once, in this order; in the profile "opening" may also stand further down.
_LANDMARKS = {
    "command": re.compile(rf"(?:[$%>+#❯]\s*)*(?:swift run\s+)?(?:\S*/)?{PROGRAM}\s+generate\s"),
    "title": re.compile(r"LTX-2(?:\.\d+)? Video Generation\s*$"),
    "opening": re.compile(r"-{2,}\s*Profiling\s*-{2,}\s*$|(?:Transformer quantization|Text Encoding \(.*\)):\s*[\d.]"),
    "denoising": re.compile(r"Denoising \(\d+ steps?\)|.*PROFILING REPORT"),
    "total": re.compile(r"Pipeline total\b"),
}
_PROGRESS = re.compile(r"^\s*Step (\d{1,5})/(\d{1,5}) \(σ=(\d{1,9}(?:\.\d+)?)\)", re.MULTILINE)
_DEBUG_STEP = re.compile(r"^\[LTX\]\s+Step (\d+)(?: time:\s*|/\d+:.*?time=)([\d.]+s)\s*$")
_PEAK = re.compile(rf"\bpeak=({SIZE})")

_DEBUG_FIGURES = {
    "encoding": r"\[LTX\] Text encoding: ([\d.]+s)\s*$",
    "upscaling": r"\[LTX\] Upscale time: ([\d.]+s)\s*$",
    "decoding": r"\[LTX\] VAE decode: ([\d.]+s)\s*$",
    "enhancement": r"\[LTX\] Generated \d+ tokens in ([\d.]+s)\s*$",
    "loading": r"Models loaded in ([\d.]+s)\s*$",
}

# In the order in which they tell more: what ended it, as the program, MLX, the system or a shell writes it.
_ENDINGS = (
    (Outcome.WATCHDOG, r"impacting interactivity|ErrorTimeout|GPU Timeout"),
    (Outcome.OUT_OF_MEMORY, r"insufficient memory|out of memory|OutOfMemory|unable to allocate|metal::malloc"),
    (Outcome.INTERRUPTED, r"^\^C\s*$|KeyboardInterrupt|interrupted by user"),
    (Outcome.SIGNAL, r"\b(?:killed|abort(?:ed)?|segmentation fault|bus error|trace trap)\b"),
)


@dataclass(frozen=True)
class DebugStep:
    stage: int
    sigma: float | None
    step: Quantity | None
    """None: begun, its end was not printed."""


@dataclass(frozen=True)
class Ending:
    outcome: Outcome
    message: str
    phase: Phase | None
    tail: str


@dataclass
class Printed:
    settings: Settings = field(default_factory=Settings)
    profile: Profile = field(default_factory=Profile)
    enhanced: str | None = None
    """The text that was encoded, where `--debug` shows it."""
    debug_steps: list[DebugStep] = field(default_factory=list)
    ending: Ending | None = None
    """None: it came to its end."""


def is_printed(text: str) -> bool:
    """Whether this is the program's output rather than a page about it."""
    if re.search(r"^#{1,6} \S", text, re.MULTILINE) and re.search(r"^\s*(?:```|~~~)", text, re.MULTILINE):
        return False
    known = (r"^LTX-2(?:\.\d+)? Video Generation", r"^\[LTX\] ", r"^\s*Denoising \(\d+ steps?\):", _MARKER.pattern)
    return any(re.search(pattern, text, re.MULTILINE) for pattern in known)


def split_printed(text: str) -> list[str]:
    """The output of each run, where one file holds that of several, one after the other."""
    parts: list[list[str]] = [[]]
    seen: set[str] = set()
    for line in text.splitlines(keepends=True):
        kinds = {kind for kind, pattern in _LANDMARKS.items() if pattern.match(line.strip())}
        if (
            ("denoising" in seen and kinds & {"title", "command", "denoising"})
            or ("total" in seen and "opening" in kinds)
            or ("title" in seen and kinds & {"title", "command"})
            or "command" in seen & kinds
        ):
            parts.append([])
            seen = set()
        seen |= kinds
        parts[-1].append(line)
    return ["".join(part) for part in parts]


def parse_printed(text: str) -> Printed:
    """Never raises: what is not there is absent."""
    markers = list(_MARKER.finditer(text))
    body, profile_text = (text[: markers[-1].start()], text[markers[-1].start() :]) if markers else (text, text)
    header = body.partition("\nGenerating video...")[0]
    result = Printed(settings=_settings(header, body, text), profile=parse_profile(profile_text))
    for name in ("generation",):
        if name not in result.profile.figures and (found := parse_profile(body).get(name)):
            result.profile.figures[name] = found
    if (enhanced := _ENHANCED.search(body)) is not None:
        result.enhanced = enhanced[1]
    _debug(body, result)
    if not markers and result.profile.step_count is None and not _completed(text):
        result.ending = _ending(text, result)
    return result


def _settings(header: str, body: str, text: str) -> Settings:
    found: dict[str, object] = {}
    for name, pattern in _HEADER.items():
        if match := re.search(rf"^{pattern}", header, re.MULTILINE):
            found[name] = match[1].strip()
    for name, pattern in _NUMBERS.items():
        if match := re.search(rf"^(?:\[LTX\] )?{pattern}", body, re.MULTILINE):
            found[name] = int(match[1][:18])
    for name, pattern in _FLAGS.items():
        if re.search(pattern, header):
            found[name] = True
    if match := _RESOLUTION.search(header):
        found["width"], found["height"] = int(match[1][:6]), int(match[2][:6])
    if match := _PROMPT.search(header):
        found["prompt"] = match[1]
    said = Settings(**found)  # type: ignore[arg-type]
    command = find_command(text) if PROGRAM in text else None
    return said.over(parse_command(command)) if command else said


def _debug(body: str, result: Printed) -> None:
    """Figures of the debug lines, where the profile has none of that name, and the steps as they went by."""
    figures = result.profile.figures
    for line in body.splitlines():
        for name, pattern in _DEBUG_FIGURES.items():
            if name not in figures and (match := re.match(pattern, line)) and (quantity := duration(match[1])):
                figures[name] = quantity
    if "peak" not in figures:
        peaks = [quantity for match in _PEAK.finditer(body) if (quantity := size(match[1]))]
        if peaks:
            figures["peak"] = max(peaks, key=lambda quantity: quantity.value)
    stage, last = 0, (0, 0)
    for line in body.splitlines():
        if begun := _PROGRESS.match(line):
            number, count = int(begun[1]), int(begun[2])
            if not stage or number <= last[0] or count != last[1]:
                stage += 1
            last = (number, count)
            result.debug_steps.append(DebugStep(stage, float(begun[3]), None))
        elif (ended := _DEBUG_STEP.match(line)) and result.debug_steps and result.debug_steps[-1].step is None:
            before = result.debug_steps[-1]
            result.debug_steps[-1] = DebugStep(before.stage, before.sigma, duration(ended[2]))


def _completed(text: str) -> bool:
    return (
        re.search(r"^(?:Generation completed in|Video(?:\+audio)? saved to:|--- Summary ---)", text, re.MULTILINE)
        is not None
    )


def _ending(text: str, result: Printed) -> Ending:
    """How far it came, and what it says about its end."""
    lines = [line for line in text.splitlines() if line.strip()]
    tail = "\n".join(lines[-TAIL_LINES:])
    outcome = next(
        (kind for kind, pattern in _ENDINGS if re.search(pattern, tail, re.MULTILINE | re.IGNORECASE)), Outcome.FAILED
    )
    phase, reached = _reached(text, result)
    error = next(
        (
            line.strip()
            for line in reversed(lines[-TAIL_LINES:])
            if re.match(r"\s*(?:fatal )?error\b", line, re.IGNORECASE)
        ),
        None,
    )
    message = f"the printed output ends {reached}" + (f": {error}" if error else "")
    return Ending(outcome, message, phase, tail)


def _reached(text: str, result: Printed) -> tuple[Phase | None, str]:
    steps = result.debug_steps
    if "decoding" in result.profile.figures or re.search(r"Decoding latents to video", text):
        return Phase.DECODE, "in or after VAE decoding"
    if steps:
        stage = steps[-1].stage
        number = sum(step.stage == stage for step in steps)
        count = [int(match[2]) for match in _PROGRESS.finditer(text)][-1]
        phase = Phase.DENOISE_1 if stage == 1 else Phase.DENOISE_2
        if number == count and re.search(r"Upscaling latent", text) and stage == 1:
            return Phase.UPSCALE, "while upscaling"
        return phase, f"at step {number} of {count} of stage {stage}"
    if re.search(r"Running Gemma forward|Text encoding", text):
        return Phase.ENCODE, "at text encoding"
    if re.search(r"Enhancing prompt", text):
        return Phase.ENHANCE, "while the prompt was being enhanced"
    if re.search(r"Loading models|Models loaded", text):
        return Phase.LOAD, "while loading"
    return None, "before anything was loaded"
