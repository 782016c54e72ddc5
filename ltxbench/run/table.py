"""What a run came to, a row a case, in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from ltxbench.run.progress import duration, size
from ltxbench.run.records import CaseRecord, Outcome
from ltxbench.run.store import RunFolder


def print_results(run: RunFolder) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    weights = run.record.weights
    caption = "synthetic weights: not the real model's figures" if weights.synthetic else None
    table = Table(title=Text(run.record.matrix.title), caption=caption, title_justify="left")
    table.add_column("case", overflow="fold")
    table.add_column("outcome")
    for name in ("generation", "peak memory", "mean memory"):
        table.add_column(name, justify="right")
    for record in run.cases:
        table.add_row(*(Text(cell) for cell in cells(run.rounds_of(record.case.name) or (record,))))
    Console().print(table)


def cells(rounds: Sequence[CaseRecord]) -> tuple[str, ...]:
    """Of one case, over its timed rounds: name, outcome, generation time, highest peak and median mean memory."""
    good = [record for record in rounds if record.outcome is Outcome.OK] or rounds
    peaks = [record.memory.mlx_peak_bytes for record in good]
    return (
        rounds[0].case.name,
        _outcome(rounds),
        spread([record.times.generation_s for record in good], duration),
        spread([max((peak for peak in peaks if peak is not None), default=None)], size),
        spread([_median([record.memory.mlx_mean_denoising_bytes for record in good])], size),
    )


def _median(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def spread(values: Sequence[float | int | None], words: Callable[[float], str]) -> str:
    """`8.31 s (8.12 s - 8.60 s)`: median, lowest and highest of what was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    middle = words(median(known))
    low, high = words(min(known)), words(max(known))
    return middle if len(known) == 1 or low == high else f"{middle} ({low} - {high})"


def _outcome(rounds: Sequence[CaseRecord]) -> str:
    """`ok`, or `2 ok, 1 timeout`."""
    counts: dict[str, int] = {}
    for record in rounds:
        counts[record.outcome.value] = counts.get(record.outcome.value, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
