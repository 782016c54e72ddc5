"""In which order the rounds of the cases run: every round all cases, shuffled, so that none always comes first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ltxbench.errors import UsageError
from ltxbench.run.records import CHECK_ROUND, Schedule

DEFAULT_SEED = 0
"""The same for every run, so that two runs of a matrix meet the same order."""


def rounds(names: Sequence[str], repeats: int, seed: int | None) -> Schedule:
    """One round keeps the matrix's order; more are shuffled one by one, from the seed and the round's number."""
    if repeats == 1 and seed is None:
        return Schedule(repeats=1, order=(tuple(names),))
    seed = DEFAULT_SEED if seed is None else seed
    order = tuple(_shuffled(names, seed, number) for number in range(1, repeats + 1))
    return Schedule(repeats=repeats, order=order, order_seed=seed)


def extended(schedule: Schedule, names: Sequence[str], repeats: int) -> Schedule:
    """`schedule` with further rounds. Raises UsageError for fewer than there are."""
    if repeats < schedule.repeats:
        raise UsageError(
            f"the run has {schedule.repeats} rounds; a resumed run can have more, not {repeats}",
            hint="Leave --repeats out, or start a new run.",
        )
    seed = DEFAULT_SEED if schedule.order_seed is None else schedule.order_seed
    more = tuple(_shuffled(names, seed, number) for number in range(schedule.repeats + 1, repeats + 1))
    return schedule.model_copy(
        update={
            "repeats": repeats,
            "order": schedule.order + more,
            "order_seed": seed if more else schedule.order_seed,
        }
    )


def planned(schedule: Schedule) -> tuple[tuple[str, int], ...]:
    """(case, round) as they are to run; the check comes last, in the first round's order."""
    timed = [(name, number) for number, names in enumerate(schedule.order, start=1) for name in names]
    check = [(name, CHECK_ROUND) for name in schedule.order[0]] if schedule.check and schedule.order else []
    return tuple(timed + check)


def _shuffled(names: Sequence[str], seed: int, number: int) -> tuple[str, ...]:
    generator = np.random.Generator(np.random.Philox(key=[seed, number]))
    return tuple(names[index] for index in generator.permutation(len(names)))
