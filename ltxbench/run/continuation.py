"""What a resumed run is: the same run, if it would still compute the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ltxbench.errors import ResultError, UsageError
from ltxbench.matrix.case import Case, Matrix
from ltxbench.run.identity import case_changes, changes
from ltxbench.run.options import Options
from ltxbench.run.order import extended
from ltxbench.run.records import RunRecord, Schedule


def selected_cases(matrix: Matrix, stored: RunRecord) -> list[Case]:
    """Of `matrix`: those that the stored run was made of."""
    return [case for case in matrix.cases if case.name in stored.selected]


def continued(stored: RunRecord, now: RunRecord, options: Options) -> RunRecord:
    """`stored` as it goes on; `now` is the record that the same command would begin today.

    Raises ResultError that names what differs, UsageError for options that do not fit the run.
    """
    if set(now.selected) != set(stored.selected) - _removed(stored, now):
        raise UsageError(
            f"the run is of the cases {', '.join(stored.selected)}, asked for are {', '.join(now.selected)}",
            hint="Leave --case out to go on with the run's own.",
        )
    different = changes(stored, now)
    if different:
        raise ResultError(
            f"this is not what run {stored.id} was made from: {'; '.join(different)}",
            hint=f"Start a new run, or put things back. The run was begun with: {shlex.join(stored.command)}",
        )
    changed = {name: how for name, how in case_changes(stored, now).items() if name in stored.selected}
    if changed and not options.rerun_changed:
        told = "; ".join(f"case {name} {how}" for name, how in changed.items())
        raise ResultError(
            f"the matrix is not the one of run {stored.id}: {told}",
            hint="--rerun-changed runs these cases again and keeps the others; without --resume a new run is begun.",
        )
    schedule = _schedule(stored.schedule, options, stored.selected)
    if changed:
        stored = _with_changes(stored, now, changed)
        names = set(stored.selected)
        order = tuple(tuple(name for name in names_of if name in names) for names_of in schedule.order)
        schedule = schedule.model_copy(update={"order": order})
    return stored.model_copy(update={"schedule": schedule})


def _removed(stored: RunRecord, now: RunRecord) -> set[str]:
    return set(stored.selected) - {case.name for case in now.matrix.cases}


def _with_changes(stored: RunRecord, now: RunRecord, changed: Mapping[str, str]) -> RunRecord:
    """The matrix of today; cases that compute the same stay in the words of their results."""
    places = {case.name: number for number, case in enumerate(stored.matrix.cases)}
    cases = tuple(
        stored.matrix.cases[places[case.name]]
        if case.name in places and case.name not in changed and places[case.name] == number
        else case
        for number, case in enumerate(now.matrix.cases)
    )
    return stored.model_copy(
        update={"matrix": now.matrix.model_copy(update={"cases": cases}), "selected": now.selected}
    )


def _schedule(stored: Schedule, options: Options, names: tuple[str, ...]) -> Schedule:
    """As it was, with more rounds or a check where they are asked for. Raises UsageError for what cannot change."""
    for option, asked, had in (
        ("--order-seed", options.order_seed, stored.order_seed),
        ("--warm-up", options.warm_up, stored.warm_up),
        ("--cooldown", None if options.cooldown is None else str(options.cooldown), stored.cooldown),
    ):
        if asked is not None and asked != had:
            raise UsageError(
                f"{option}: the run was begun with {_shown(had)}, not {_shown(asked)}",
                hint=f"Leave {option} out, or start a new run.",
            )
    schedule = stored
    if options.repeats is not None and options.repeats != stored.repeats:
        schedule = extended(schedule, names, options.repeats)
    return schedule.model_copy(update={"check": stored.check or options.check})


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
