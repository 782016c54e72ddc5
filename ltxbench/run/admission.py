"""Whether the machine may be measured now, and what is known of it before the first case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ltxbench.doctor.canary_process import run_canary
from ltxbench.doctor.examine import examine, refuse
from ltxbench.doctor.lookout import Lookout
from ltxbench.run.conditions import Examination
from ltxbench.run.options import Options
from ltxbench.run.script import Script
from ltxbench.sensors.energy import energy_meter
from ltxbench.sensors.energy import idle_power_w as measured_idle_power_w

IDLE_S = 2.0


@dataclass(frozen=True)
class Admission:
    examination: Examination | None = None
    lookout: Lookout | None = None
    """Looks at the machine around each case; None where nothing is measured."""
    idle_power_w: float | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Cases that are not to be tried, and why."""


def admit(
    accelerator: str | None,
    folder: Path,
    needed_bytes: int,
    options: Options,
    script: Script | None,
    skipped: Mapping[str, str],
) -> Admission:
    """Examines the machine; a script stands in for what it would find. Raises InvalidMeasurement, see doctor.refuse.

    With `--force` the examination is recorded as overridden.
    """
    if script is not None:
        return Admission(_passed(script.examination, options), skipped=skipped)
    if not options.doctor:
        return Admission(lookout=Lookout(accelerator), skipped=skipped)
    examination = examine(accelerator, folder, run_canary, needed_bytes=needed_bytes)
    return Admission(
        examination=_passed(examination, options),
        lookout=Lookout(accelerator),
        idle_power_w=_idle_power_w(accelerator),
        skipped=skipped,
    )


def _passed(examination: Examination | None, options: Options) -> Examination | None:
    if examination is None or not examination.failed:
        return examination
    if options.force:
        return examination.model_copy(update={"overridden": True})
    refuse(examination)
    return examination


def _idle_power_w(accelerator: str | None) -> float | None:
    """Absent where no meter tells."""
    meter = energy_meter(accelerator)
    return None if meter is None else measured_idle_power_w(meter, IDLE_S)
