"""How a matrix is run, apart from what the cases compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ltxbench.errors import UsageError
from ltxbench.run.limits import PhaseLimits
from ltxbench.run.records import Phase

CASE_LIMIT_S = 12 * 3600.0
COOLDOWN_CAP_S = 600.0
SETTLED = "settled"


@dataclass(frozen=True)
class CooldownRule:
    """What to wait for between two cases."""

    seconds: float | None = None
    """None: until the machine is back at its first rate, or COOLDOWN_CAP_S have passed."""

    @classmethod
    def parse(cls, text: str) -> CooldownRule:
        """Seconds, or `settled`. Raises UsageError."""
        if text == SETTLED:
            return cls()
        return cls(seconds(text, "--cooldown", f"a number of seconds or {SETTLED}", least=0))

    def __str__(self) -> str:
        return SETTLED if self.seconds is None else f"{self.seconds:g} s"


@dataclass(frozen=True)
class Options:
    repeats: int | None = None
    """None: 1, or as many as the run that is resumed has."""
    order_seed: int | None = None
    warm_up: bool | None = None
    """None: where there is an accelerator."""
    check: bool = False
    cooldown: CooldownRule | None = None
    case_limit_s: float | None = CASE_LIMIT_S
    phase_limits: PhaseLimits = field(default_factory=PhaseLimits)
    lossless: bool = True
    memory_check: bool = True
    skip_too_large: bool = False
    """Skip the cases that need more memory than there is, where the run would be refused."""
    doctor: bool = True
    """Examine the machine first; only the scripted engine leaves it out."""
    force: bool = False
    """Run although the examination failed, and cases that brought the machine down."""
    rerun_changed: bool = False
    """Of a resumed run: repeat the cases that the matrix has changed since."""


def phase_limits(texts: Sequence[str]) -> PhaseLimits:
    """From `600` for every phase and `load=900` for one. Raises UsageError."""
    every_s: float | None = None
    named_s: dict[Phase, float] = {}
    for text in texts:
        name, separator, value = text.rpartition("=")
        limit_s = seconds(value, "--phase-limit", "SECONDS or PHASE=SECONDS", least=0.001)
        if not separator:
            every_s = limit_s
            continue
        try:
            named_s[Phase(name)] = limit_s
        except ValueError:
            phases = ", ".join(phase.value for phase in Phase)
            raise UsageError(f"--phase-limit: no phase {name!r}", hint=f"There are {phases}.") from None
    return PhaseLimits(every_s=every_s, named_s=named_s)


def seconds(text: str, option: str, expected: str, *, least: float) -> float:
    """Raises UsageError for anything but a plain, finite number of at least `least`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value < float("inf"):
        raise UsageError(f"{option}: {text!r} is not {expected}")
    return value
