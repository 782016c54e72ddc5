"""A memory series of bounded length: however long a case runs, its highest and lowest points stay where they were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ltxbench.run.events import MemorySample

LIMIT = 20_000
"""Rows that a case keeps at most."""
JUDGED: tuple[Literal[2, 3, 5, 6], ...] = (2, 3, 5, 6)
"""Columns whose extremes are kept: active, cache, footprint, device. The peak counter only grows within a phase."""


class ThinnedSeries:
    """Samples go in one by one; `rows` are those that are kept, in order.

    Up to LIMIT samples all are kept. Past that, neighbours within one phase are put together, always two stretches of
    equal length, and of each stretch the rows with the lowest and the highest value of every counter are kept. The
    first and the last sample of every phase are always kept.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._stretch = 1
        """Samples in a full bucket."""
        self._buckets: list[_Bucket] = []
        self._rows = 0
        self.samples = 0

    def extend(self, samples: Iterable[MemorySample]) -> None:
        for sample in samples:
            self._append(sample)

    @property
    def rows(self) -> list[MemorySample]:
        return [row for bucket in self._buckets for row in bucket.rows]

    def _append(self, sample: MemorySample) -> None:
        self.samples += 1
        last = self._buckets[-1] if self._buckets else None
        if last is None or last.phase != sample[1] or last.samples >= self._stretch:
            self._buckets.append(_Bucket([sample], 1, begins=last is None or last.phase != sample[1]))
            self._rows += 1
        else:
            before = len(last.rows)
            last.merge(_Bucket([sample], 1))
            self._rows += len(last.rows) - before
        if self._rows > self._limit:
            self._thin()

    def _thin(self) -> None:
        """Doubles the stretch until half of the room is free, or nothing more can be put together."""
        while self._rows > self._limit // 2:
            merged: list[_Bucket] = []
            for bucket in self._buckets:
                last = merged[-1] if merged else None
                room = last is not None and last.samples + bucket.samples <= 2 * self._stretch
                if last is not None and room and last.phase == bucket.phase and not bucket.begins:
                    last.merge(bucket)
                else:
                    merged.append(bucket)
            rows = sum(len(bucket.rows) for bucket in merged)
            stuck = len(merged) == len(self._buckets) and self._stretch > self.samples
            self._buckets, self._rows = merged, rows
            self._stretch *= 2
            if stuck:
                break


class _Bucket:
    """Neighbouring samples of one phase, reduced to those worth keeping."""

    def __init__(self, rows: list[MemorySample], samples: int, *, begins: bool = False) -> None:
        self.rows = rows
        self.samples = samples
        self.begins = begins
        """Its first row is the first of a phase."""
        self.phase = rows[0][1]

    def merge(self, following: _Bucket) -> None:
        rows = self.rows + following.rows
        self.samples += following.samples
        kept = {len(rows) - 1}  # the last one so far may turn out to be the phase's last
        if self.begins:
            kept.add(0)
        for column in JUDGED:
            values = [(value, index) for index, row in enumerate(rows) if (value := row[column]) is not None]
            if values:
                kept |= {min(values)[1], max(values)[1]}
        self.rows = [rows[index] for index in sorted(kept)]
