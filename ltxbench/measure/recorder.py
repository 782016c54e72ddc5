"""Takes time and memory around every phase and every denoising step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from ltxbench.measure.counters import Counters, grown, grown_j
from ltxbench.measure.footprint import Footprint
from ltxbench.run.engine import Engine, Fact
from ltxbench.run.events import Emit, FactsStated, PhaseEnded, PhaseStarted, StepEnded
from ltxbench.run.records import DENOISING, GENERATION, Phase, PhaseRecord, StepRecord


class CaseRecorder:
    """The `Recorder` of one job; the clock starts when it is made.

    The clock is read as the last act on entry and right after synchronising on exit, so that reading the memory and
    sending the events falls between the stretches that are timed.
    """

    def __init__(
        self,
        engine: Engine,
        emit: Emit,
        footprint: Callable[[], Footprint],
        *,
        stepped: bool = True,
        counters: Counters | None = None,
    ) -> None:
        self._engine = engine
        self._emit = emit
        self._footprint = footprint
        self._counters = counters or Counters()
        self._meter_read_s = -math.inf
        self._energy_j: float | None = None
        """At the end of the last step, or at the phase's start."""
        self.first_energy_j: float | None = None
        self.last_energy_j: float | None = None
        self._generating: list[tuple[float | None, float]] = []
        """Joules and seconds of each phase that generates."""
        self.stepped = stepped
        """Off: `step` neither synchronises nor tells anything."""
        self._steps = self._cold_steps = 0
        self._in_step = False
        self.current: Phase | None = None
        """The phase that runs now; after an exception, the one it came from."""
        self.peak_bytes: int | None = None
        """Highest peak of MLX's counter so far, over all phases and what lies between them."""
        self._origin_s = engine.clock()

    def now_s(self) -> float:
        """Since the case's clock started."""
        return self._engine.clock() - self._origin_s

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        if self.current is not None:
            raise RuntimeError(f"phase {phase} begins inside phase {self.current}: phases do not nest")
        self._engine.synchronize()
        before = self._engine.memory()
        self._raise_peak(before.peak_bytes, before.active_bytes)
        self._engine.reset_peak()
        self.current = phase
        self._emit(PhaseStarted(phase=phase, start_s=self.now_s()))
        swapped = self._counters.swapped_out()
        begin_j = self._energy_j = self._energy(phase)
        start_s = self.now_s()
        yield
        self._engine.synchronize()
        end_s = self.now_s()
        end_j = self._energy(phase, end_s - start_s)
        if phase in GENERATION:
            self._generating.append((grown_j(begin_j, end_j), end_s - start_s))
        after = self._engine.memory()
        # Resetting puts MLX's peak to 0, not to what is allocated, so both ends count as well.
        peak = highest(after.peak_bytes, before.active_bytes, after.active_bytes)
        self._raise_peak(peak)
        record = PhaseRecord(
            phase=phase,
            start_s=start_s,
            duration_s=end_s - start_s,
            mlx_peak_bytes=peak,
            mlx_active_bytes=after.active_bytes,
            mlx_cache_bytes=after.cache_bytes,
            footprint_bytes=self._footprint().current_bytes,
            device_bytes=self._counters.device(),
            swapped_out_bytes=grown(swapped, self._counters.swapped_out()),
            energy_j=self._counters.stretch_j(begin_j, end_j, end_s - start_s),
        )
        self.current = None
        self._emit(PhaseEnded(record=record))

    def warm_up(self) -> AbstractContextManager[None]:
        return self.phase(Phase.WARM_UP)

    @contextmanager
    def step(self, *, stage: int, sigma: float, forwards: int, ahead: bool = False) -> Iterator[None]:
        cold = self.current is Phase.WARM_UP
        if not cold and self.current not in DENOISING:
            raise RuntimeError(f"a denoising step in phase {self.current}")
        if self._in_step:
            raise RuntimeError("a denoising step inside another")
        if not self.stepped:
            yield
            return
        self._in_step = True
        if not ahead:
            self._engine.synchronize()
        start_s = self.now_s()
        yield
        if not ahead:
            self._engine.synchronize()
        end_s = self.now_s()
        # The meter is read once a step, between two, and not at all between steps that are too short for it: reading
        # it would be a tenth of the time of a step of 60 ms.
        told = not cold and self._counters.long_enough(end_s - start_s)
        begin_j, self._energy_j = self._energy_j, self._fresh_energy() if told else None
        record = StepRecord(
            stage=stage,
            index=self._cold_steps if cold else self._steps,
            sigma=sigma,
            forwards=forwards,
            start_s=start_s,
            step_s=end_s - start_s,
            energy_j=self._counters.stretch_j(begin_j, self._energy_j, end_s - start_s),
        )
        self._in_step = False
        if cold:
            self._cold_steps += 1
        else:
            self._steps += 1
        self._emit(StepEnded(record=record, cold=cold))

    def generation_j(self) -> float | None:
        """Energy of all phases that generate, those included that are too short for a figure of their own."""
        return self._counters.stretches_j(self._generating)

    def facts(self, **facts: Fact) -> None:
        self._emit(FactsStated(facts=facts))

    def close(self) -> None:
        """Counts what happened after the last phase into the peak, and into the energy."""
        self._fresh_energy()
        memory = self._engine.memory()
        self._raise_peak(memory.peak_bytes, memory.active_bytes)

    def _energy(self, phase: Phase, duration_s: float | None = None) -> float | None:
        """At a phase's start, or at its end after that long.

        Reading the meter takes milliseconds and holds up the GPU (sensors.nvidia). So nothing is read for a warm-up,
        whose energy nobody asks for, nor at the end of what is too short for a figure and no part of the generation's.
        """
        short = duration_s is not None and not self._counters.long_enough(duration_s)
        if phase is Phase.WARM_UP or (short and phase not in GENERATION):
            return None
        return self._fresh_energy()

    def _fresh_energy(self) -> float | None:
        """The last reading, if it is hardly older than one of now."""
        if self.now_s() - self._meter_read_s > self._counters.fresh_s():
            self.last_energy_j = self._counters.energy()
            self._meter_read_s = self.now_s()
            if self.first_energy_j is None:
                self.first_energy_j = self.last_energy_j
        return self.last_energy_j

    def _raise_peak(self, *candidates: int | None) -> None:
        self.peak_bytes = highest(self.peak_bytes, *candidates)


def highest(*values: int | None) -> int | None:
    """The largest of those that were measured."""
    return max((value for value in values if value is not None), default=None)
