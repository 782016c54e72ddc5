"""What the scripted engine is to do, as data: a JSON file.

{"default": {"steps": [8.3, 8.2], "phases": {"load": 4.0}},
 "cases": {"qint8": {"failure": {"kind": "kill", "phase": "denoise-1", "step": 3}}}}
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ltxbench.errors import UsageError
from ltxbench.frozen import Frozen
from ltxbench.run.conditions import Examination
from ltxbench.run.memory_need import Survey
from ltxbench.run.records import MatmulRate, Phase

GIB = 1 << 30
Seconds = Annotated[float, Field(ge=0)]


class Fault(StrEnum):
    RAISE = "raise"
    OUT_OF_MEMORY = "out-of-memory"
    ALLOCATE = "allocate"
    """Allocates, under a limit of this process's own, until there is no more."""
    NAN = "nan"
    BLACK = "black"
    """Decodes nothing but black; the phase does not matter."""
    WATCHDOG = "watchdog"
    """Ends as Metal ends a process whose work on the GPU took too long."""
    DISK_FULL = "disk-full"
    HANG = "hang"
    KILL = "kill"
    EXIT = "exit"
    FORK = "fork"
    """Leaves a child behind that holds on to everything it inherited; the case itself goes on."""
    PRINT = "print"
    """Prints `amount` bytes; the case itself goes on."""


class Picture(StrEnum):
    """What the frames depend on besides the case."""

    SEEDED = "seeded"
    """On nothing else."""
    UNSEEDED = "unseeded"
    """Not even on the seed."""
    CHANGING = "changing"
    """On the process that makes them."""
    STEPPED = "stepped"
    """On whether the steps are timed."""


class Failure(Frozen):
    kind: Fault
    phase: Phase = Phase.DENOISE_1
    step: int = 0
    """Of the stage; used in the denoising phases alone."""
    amount: int = 0
    """The signal for `kill` (9), the code for `exit` (0), the bytes for `print`."""


class Level(Frozen):
    """MLX's counters while a phase runs, and the process's footprint."""

    active_bytes: int = 20 * GIB
    peak_bytes: int = 22 * GIB
    cache_bytes: int = GIB
    footprint_bytes: int = 24 * GIB


class CaseScript(Frozen):
    steps: tuple[Seconds, ...] = (1.0,)
    """Seconds of each step of the case, stage 1 first; the last one repeats."""
    cold: Seconds | None = None
    """Seconds of a stage's first step in a process that has not run it before; None: no longer than any other."""
    phases: dict[Phase, Seconds] = {}
    """Seconds of the other phases; 0.5 where not given."""
    memory: dict[Phase, Level] = {}
    failure: Failure | None = None
    picture: Picture = Picture.SEEDED
    repeated_share: Seconds = 1.0
    """Of its time that a generation takes in a process that has made one before."""
    pace: Seconds = 0.0
    """Real seconds that a virtual one takes."""
    facts: dict[str, str | int | float | bool | None] = {}


class Script(Frozen):
    default: CaseScript = CaseScript()
    cases: dict[str, CaseScript] = {}
    enhanced: str = "An enhanced prompt."
    accelerator: str | None = None
    matmul: MatmulRate | None = None
    survey: Survey = Survey()
    examination: Examination | None = None
    """What the doctor is to have found."""

    @classmethod
    def load(cls, path: Path) -> Script:
        """Raises UsageError when the file is no script."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path}: not a script for the scripted engine ({error})") from None
