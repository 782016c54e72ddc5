"""Many comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjusted p, in the order given: at most alpha of all families have any false one among those <= alpha.

    None is a comparison that could not be tested: it stays None and does not count. Raises ValueError for a p outside
    [0, 1]. S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    if any(p is not None and not 0 <= p <= 1 for p in p_values):
        raise ValueError("a p value lies between 0 and 1")
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = highest
    return tuple(adjusted)
