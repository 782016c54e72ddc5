"""Bencher Metric Format: benchmark -> measure -> value with its bounds."""

from __future__ import annotations

import json

from ltxbench.exports.figures import figures
from ltxbench.regression.entry import Entry

MEASURES = {"generation_s": "generation-seconds", "load_s": "load-seconds", "time_s": "seconds"}


def bencher(entry: Entry) -> bytes:
    """Bounds are the rounds' extremes, absent for one round. A benchmark is `matrix/case`."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in figures(entry):
        bounds = {"lower_value": each.low, "upper_value": each.high} if each.rounds > 1 else {}
        measure = found.setdefault(f"{entry.matrix}/{each.case}", {})
        measure[_slug(each.metric)] = {"value": each.value, **bounds}
    return (json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _slug(metric: str) -> str:
    if metric in MEASURES:
        return MEASURES[metric]
    plain = metric.removesuffix("_s") + "-seconds" if metric.endswith("_s") else metric
    return plain.replace("_", "-")
