"""Samples memory in the background while a case runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ltxbench.measure.counters import Counters
from ltxbench.measure.footprint import UNKNOWN, Footprint
from ltxbench.measure.recorder import CaseRecorder
from ltxbench.run.engine import Engine, Simulated
from ltxbench.run.events import Emit, MemorySample, MemorySampled

INTERVAL_S = 0.05
DEVICE_INTERVAL_S = 0.5  # the GPU's driver takes long to answer, and holds up others meanwhile
BATCH_S = 1.0  # how often samples leave the process, so that a killed one has told almost everything


class MemorySampler:
    """One sample: MLX's counters, the process's footprint and the GPU's own counter, tagged with the phase.

    `mlx_peak_bytes` of a sample is MLX's own counter: the highest since the phase began.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: CaseRecorder,
        emit: Emit,
        footprint: Callable[[], Footprint],
        interval_s: float = INTERVAL_S,
        counters: Counters | None = None,
    ) -> None:
        self._engine = engine
        self._recorder = recorder
        self._emit = emit
        self._read_footprint = footprint
        self._counters = counters or Counters()
        self._footprint = UNKNOWN
        self.interval_s = interval_s
        self._pending: list[MemorySample] = []
        self._last_s = recorder.now_s()
        self._sent_s = self._last_s
        self._asked_device_s = -DEVICE_INTERVAL_S
        self.longest_gap_s = 0.0
        self.cpu_s = 0.0
        """CPU time spent on sampling."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Samples at every interval until the context ends, and once at its end."""
        pace = self._engine.every if isinstance(self._engine, Simulated) else every
        try:
            with pace(self.interval_s, self.sample):
                yield
        finally:
            self.sample()
            self.flush()

    def sample(self) -> None:
        begin = time.thread_time()
        now_s = self._recorder.now_s()
        phase = self._recorder.current
        memory = self._engine.memory()
        self._footprint = self._read_footprint()
        self._pending.append(
            (
                round(now_s, 4),
                phase,
                memory.active_bytes,
                memory.cache_bytes,
                memory.peak_bytes,
                self._footprint.current_bytes,
                self._device(now_s),
            )
        )
        self.longest_gap_s = max(self.longest_gap_s, now_s - self._last_s)
        self._last_s = now_s
        if now_s - self._sent_s >= BATCH_S:
            self.flush()
            self._sent_s = now_s
        self.cpu_s += time.thread_time() - begin

    def _device(self, now_s: float) -> int | None:
        """None between two readings."""
        if now_s - self._asked_device_s < DEVICE_INTERVAL_S:
            return None
        self._asked_device_s = now_s
        return self._counters.device()

    def flush(self) -> None:
        if not self._pending:
            return
        batch, self._pending = tuple(self._pending), []
        self._emit(
            MemorySampled(
                samples=batch,
                interval_s=self.interval_s,
                longest_gap_s=self.longest_gap_s,
                cpu_s=self.cpu_s,
                footprint_source=self._footprint.source,
                footprint_peak_bytes=self._footprint.peak_bytes,
                footprint_peak_source=self._footprint.peak_source,
                device_source=self._counters.device_source(),
            )
        )


@contextmanager
def every(interval_s: float, callback: Callable[[], None]) -> Iterator[None]:
    """Calls back from a thread on a fixed schedule; turns that were missed are left out, not made up for.

    When `callback` raises, the thread ends and its traceback goes to stderr.
    """
    stop = threading.Event()

    def loop() -> None:
        due = time.monotonic() + interval_s
        while not stop.wait(max(0.0, due - time.monotonic())):
            callback()
            missed = max(0.0, time.monotonic() - due) // interval_s
            due += (missed + 1) * interval_s

    thread = threading.Thread(target=loop, name="memory-sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
