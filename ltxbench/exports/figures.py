"""An entry's figures, one by one, with their spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from ltxbench.regression.entry import Entry
from ltxbench.trust.samples import FOOTPRINT, PEAK

UNITS = {"_bytes": "bytes", "_s": "s"}


@dataclass(frozen=True)
class Figure:
    """`value` is the median over the rounds, `low` and `high` are the rounds' extremes; in `unit`."""

    case: str
    metric: str
    title: str
    unit: str
    value: float
    low: float
    high: float
    rounds: int


def figures(entry: Entry) -> Iterator[Figure]:
    """Cases in the matrix's order; what was not measured is left out."""
    titles = {metric.name: metric.title for metric in (PEAK, FOOTPRINT)}
    for case in entry.cases:
        for metric, values in case.samples.items():
            if values:
                unit = next((unit for end, unit in UNITS.items() if metric.endswith(end)), "")
                yield Figure(
                    case=case.name,
                    metric=metric,
                    title=titles.get(metric, _title(metric)),
                    unit=unit,
                    value=median(values),
                    low=min(values),
                    high=max(values),
                    rounds=len(values),
                )


def _title(metric: str) -> str:
    """`step, stage 2` of `step_2_s`."""
    plain = metric.removesuffix("_s")
    if plain.startswith("step_"):
        return f"step, stage {plain.removeprefix('step_')}"
    return plain.replace("_", " ")
