"""`examine`: all readings, in the order in which they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ltxbench.doctor import gpu, heat, host, memory, power
from ltxbench.doctor.canary import CanaryReport
from ltxbench.doctor.canary_process import CanaryDied
from ltxbench.doctor.readers import Readers
from ltxbench.doctor.readings import CANARY, failure, ok, unknown
from ltxbench.errors import InvalidMeasurement, LtxbenchError
from ltxbench.run.conditions import Examination, Reading
from ltxbench.sensors.apple_gpu import Accelerator
from ltxbench.sensors.nvidia import Nvidia

GPU_LOOKS = 3
GPU_INTERVAL_S = 0.2

Canary = Callable[[], CanaryReport | None]


def examine(
    accelerator: str | None,
    folder: Path,
    canary: Canary | None,
    *,
    needed_bytes: int | None = None,
    readers: Readers | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Examination:
    """Takes about a second, and then what `canary` takes, which comes last so that its work is nobody else's.

    `accelerator` is the GPU's name as the engine states it, None on the CPU. `folder` is where a run would be written,
    `needed_bytes` what it may need there. `canary` computes in a process of its own; None, or an answer of None: there
    is nothing to compute with. Nothing is raised: what cannot be read is an `unknown` reading.
    """
    return Examination(
        readings=tuple(_readings(accelerator, folder, canary, needed_bytes, readers or Readers(), sleep))
    )


def _readings(
    accelerator: str | None,
    folder: Path,
    canary: Canary | None,
    needed_bytes: int | None,
    readers: Readers,
    sleep: Callable[[float], None],
) -> Iterator[Reading]:
    swap_before, thermal_before = readers.swap(), readers.thermal()
    supply, virtual, limits = readers.power(), readers.virtual(), readers.limits()
    load = readers.load()
    device = readers.nvidia() if accelerator is not None and readers.platform != "darwin" else None
    apple: tuple[Accelerator, ...] = ()
    percents: list[float | None] = []
    for _ in range(GPU_LOOKS if accelerator is not None else 1):
        sleep(GPU_INTERVAL_S)
        apple = readers.accelerators() or ()
        percents.append(device.used_percent() if device else max_percent(apple))
    thermal = readers.thermal()

    yield power.judge_source(supply)
    yield power.judge_mode(supply)
    yield heat.judge_thermal(
        thermal,
        throttled_now=_growth(thermal_before.throttle_events, thermal.throttle_events),
        gpu_reasons=device.reasons() if device else None,
        gpu_temperature_c=device.temperature_c() if device else None,
        virtual=virtual.machine,
    )
    yield memory.judge_pressure(readers.pressure())
    yield memory.judge_swap(swap_before, readers.swap())
    yield gpu.judge_users(_use(device, percents, readers.own()), accelerator)
    health = gpu.judge_health(device, accelerator)
    if health is not None:
        yield health
    yield host.judge_load(load)
    limited = host.judge_limits(limits, load.cores)
    if limited is not None:
        yield limited
    yield host.judge_display(readers.display(), readers.platform)
    drivers = tuple(each.driver for each in apple)
    yield host.judge_virtual(virtual, accelerator=accelerator, drivers=drivers)
    yield host.judge_disk(folder, needed_bytes)
    yield judge_canary(canary)


def judge_canary(canary: Canary | None) -> Reading:
    """Runs it: a wrong answer, or a process that dies of it, is a failure; not to have run is `unknown`."""
    if canary is None:
        return unknown(CANARY, "It was not run.")
    try:
        report = canary()
    except CanaryDied as error:
        return failure(CANARY, "died", f"{error.message}.", error.hint)
    except LtxbenchError as error:
        return unknown(CANARY, f"{error.message}.", error.hint)
    if report is None or not report.checks:
        return unknown(CANARY, "There was nothing to compute with.")
    wrong = [check for check in report.checks if not check.ok]
    if wrong:
        names = "; ".join(
            f"{check.name}: {check.note or f'off by {check.max_error:.2g}, rounding explains {check.limit:.2g}'}"
            for check in wrong
        )
        return failure(
            CANARY,
            f"{len(wrong)} of {len(report.checks)} wrong",
            f"Kernels on {report.device} do not compute what NumPy does: {names}.",
            "Try another version of MLX, and report this one to its makers.",
        )
    return ok(CANARY, f"{len(report.checks)} of {len(report.checks)} right", f"On {report.device}, against NumPy.")


def refuse(examination: Examination) -> None:
    """Raises InvalidMeasurement when a reading failed and that was not overridden."""
    if examination.failed and not examination.overridden:
        found = "; ".join(f"{reading.name}: {reading.value or reading.detail}" for reading in examination.failed)
        hints = " ".join(reading.hint for reading in examination.failed if reading.hint)
        raise InvalidMeasurement(
            f"times taken now would be wrong ({found})",
            hint=f"{hints} --force runs all the same, and the run says so; `ltxbench doctor` shows more.".strip(),
        )


def max_percent(accelerators: tuple[Accelerator, ...]) -> float | None:
    return max((each.used_percent for each in accelerators if each.used_percent is not None), default=None)


def _use(device: Nvidia | None, percents: list[float | None], own: frozenset[int]) -> gpu.GpuUse:
    used_percent = gpu.use_of(percents)
    if device is None:
        return gpu.GpuUse(used_percent=used_percent)
    processes = device.processes()
    return gpu.GpuUse(
        used_percent=used_percent,
        used_bytes=gpu.held_by_others(device.memory(), processes, own),
        processes=gpu.strangers(processes, own),
    )


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)
