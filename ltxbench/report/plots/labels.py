"""Placing labels so that none covers another, in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """left < right, bottom < top."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def spread(wanted: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Centres of labels in one column: `height` apart at least, within [low, high], each near where it wants to be.

    Neighbours that would touch form a block around the mean of their wishes. When they cannot all fit, they share
    the room evenly.
    """
    if not wanted:
        return []
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    room = high - low
    pitch = min(height, room / len(wanted))
    blocks: list[list[float]] = []  # [first centre, members, sum of wishes]
    for index in order:
        blocks.append([_clamped(wanted[index], 1, pitch, low, high), 1, wanted[index]])
        while len(blocks) > 1 and blocks[-2][0] + blocks[-2][1] * pitch > blocks[-1][0]:
            _, members, wishes = blocks.pop()
            count, total = blocks[-1][1] + members, blocks[-1][2] + wishes
            first = total / count - (count - 1) * pitch / 2
            blocks[-1] = [_clamped(first, count, pitch, low, high), count, total]
    centres = [first + place * pitch for first, members, _ in blocks for place in range(int(members))]
    placed = [0.0] * len(wanted)
    for index, centre in zip(order, centres, strict=True):
        placed[index] = centre
    return placed


def _clamped(first: float, members: float, pitch: float, low: float, high: float) -> float:
    return max(low + pitch / 2, min(first, high - pitch / 2 - (members - 1) * pitch))


def around(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    area: Box,
    radius: float,
    others: Sequence[tuple[float, float]] = (),
) -> list[Box | None]:
    """A box for each point's label, near it, covering no other label and no point, and staying in `area`.

    others: points without a label. Greedy, nearest free place first. None for a label that has no place.
    """
    dots = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in (*points, *others)]
    taken: list[Box] = []
    placed: list[Box | None] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        free = (
            box
            for box in _candidates(x, y, width, height, radius)
            if box.inside(area) and not any(box.overlaps(other) for other in dots + taken)
        )
        box = next(free, None)
        placed.append(box)
        if box is not None:
            taken.append(box)
    return placed


def _candidates(x: float, y: float, width: float, height: float, radius: float) -> list[Box]:
    """Right, above, below, left, then in widening rings."""
    boxes = []
    for ring in range(14):
        gap = radius + 2 + ring * height * 0.6
        for step in range(8 if ring == 0 else 16):
            angle = step * math.tau / (8 if ring == 0 else 16)
            centre_x = x + math.cos(angle) * (gap + width / 2)
            centre_y = y + math.sin(angle) * (gap + height / 2)
            boxes.append(Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2))
    return boxes
