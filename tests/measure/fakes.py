"""An engine whose clock and counters the test sets."""

from __future__ import annotations

from ltxbench.measure.footprint import Footprint
from ltxbench.run.engine import MlxMemory


class FakeEngine:
    """Time passes only where a test says so; `pending_s` is work that synchronising waits for."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.pending_s = 0.0
        self.active = self.cache = self.peak = 0

    def accelerator(self) -> str | None:
        return None

    def clock(self) -> float:
        return self.now_s

    def synchronize(self) -> None:
        self.now_s += self.pending_s
        self.pending_s = 0.0

    def memory(self) -> MlxMemory:
        return MlxMemory(self.active, self.cache, self.peak)

    def reset_peak(self) -> None:
        self.peak = 0

    def allocate(self, active: int, peak: int | None = None) -> None:
        """The counter of the peak follows allocations alone, as MLX's does."""
        self.active = active
        self.peak = max(self.peak, active, peak or 0)


def no_footprint() -> Footprint:
    return Footprint()
