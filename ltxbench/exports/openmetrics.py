"""OpenMetrics 1.0 text: gauges with their units, for a Prometheus textfile or push gateway."""

from __future__ import annotations

from datetime import datetime

from ltxbench.exports.figures import Figure, figures
from ltxbench.regression.entry import Entry

HELP = {
    "generation": "Text encoding, denoising, upscaling and decoding; median of the rounds.",
    "load": "Reading weights, fusing LoRA and quantizing; median of the rounds.",
    "step": "One warm denoising step of a stage; median of the rounds' medians.",
    "mlx_peak": "The highest MLX allocation, loading included; median of the rounds.",
    "footprint_peak": "The highest footprint of the process; median of the rounds.",
    "time": "One round of a benchmark; median.",
}


def openmetrics(entry: Entry) -> bytes:
    """Families `ltxbench_<figure>_<unit>`, labelled with matrix, case, stage, machine and weights."""
    families: dict[tuple[str, str], list[tuple[dict[str, str], Figure]]] = {}
    for each in figures(entry):
        name, stage = _name(each.metric)
        labels = {"matrix": entry.matrix, "case": each.case, "machine": entry.machine.chip, "os": entry.machine.os}
        if stage:
            labels["stage"] = stage
        if entry.weights is not None:
            labels["weights"] = entry.weights
        families.setdefault((name, {"s": "seconds"}.get(each.unit, each.unit)), []).append((labels, each))
    lines = []
    for (name, unit), rows in families.items():
        family = f"ltxbench_{name}_{unit}"
        lines += [
            f"# TYPE {family} gauge",
            f"# UNIT {family} {unit}",
            f"# HELP {family} {_escape(HELP.get(name, name))}",
        ]
        lines += [f"{family}{{{_labels(labels)}}} {each.value!r}" for labels, each in rows]
    if (measured_s := _timestamp(entry.created_utc)) is not None:
        family = "ltxbench_measured_timestamp_seconds"
        labels = {"matrix": entry.matrix, "machine": entry.machine.chip}
        lines += [f"# TYPE {family} gauge", f"# UNIT {family} seconds", f"# HELP {family} When the run began."]
        lines.append(f"{family}{{{_labels(labels)}}} {measured_s!r}")
    return ("\n".join([*lines, "# EOF"]) + "\n").encode()


def _name(metric: str) -> tuple[str, str]:
    """`step` and its stage; the metric without its unit."""
    if metric.startswith("step_") and metric.endswith("_s"):
        return "step", metric.removeprefix("step_").removesuffix("_s")
    return metric.removesuffix("_bytes").removesuffix("_s"), ""


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _timestamp(utc: str) -> float | None:
    try:
        return datetime.fromisoformat(utc).timestamp()
    except ValueError:
        return None
