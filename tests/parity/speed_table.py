"""The table of a result of `tests.parity.speed`, as Markdown: `python -m tests.parity.speed_table RESULT.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tests.parity.speed import MATMUL, SIZES

FLOPS_PER_MATMUL = 2 * MATMUL**3


def main() -> None:
    print(table(json.loads(Path(sys.argv[1]).read_text())))


def table(result: dict[str, Any]) -> str:
    """Medians over all repetitions of all rounds; in brackets the fastest one."""
    sides = {side: [entry for entry in result["rounds"] if entry["side"] == side] for side in ("torch", "mlx")}
    lines = [
        "| One transformer forward, bfloat16 | " + " | ".join(f"{name} | peak" for name in SIZES) + " | matmul |",
        "|---|" + "---:|---:|" * len(SIZES) + "---:|",
    ]
    for side, label in (("torch", "official PyTorch, eager"), ("mlx", "this project")):
        cells = [
            f"{_time(sides[side], name, 'forward_s')} | {_peak(sides[side], name, 'peak_bytes')}" for name in SIZES
        ]
        rate = FLOPS_PER_MATMUL / median(_all(sides[side], None, "matmul_s")) / 1e12
        lines.append(f"| {label} | {' | '.join(cells)} | {rate:.0f} TFLOP/s |")
    ratios = [
        median(_all(sides["mlx"], name, "forward_s")) / median(_all(sides["torch"], name, "forward_s"))
        for name in SIZES
    ]
    lines.append("| **ratio** | " + " | ".join(f"**{ratio:.2f}** | " for ratio in ratios) + " | |")
    guided = []
    for name in SIZES:
        step = median(_all(sides["mlx"], name, "guided_step_s"))
        forwards = step / median(_all(sides["mlx"], name, "forward_s"))
        guided.append(
            f"{step * 1e3:.1f} ms = {forwards:.2f} forwards | {_peak(sides['mlx'], name, 'guided_peak_bytes')}"
        )
    lines.append(f"| this project, guided step | {' | '.join(guided)} | |")
    devices = sorted({entry["device"] for entry in result["rounds"]})
    versions = dict(item for entry in result["rounds"] for item in entry["versions"].items())
    named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    return "\n".join([*lines, "", f"{', '.join(devices)}; {named}; Python {result['python']}."])


def _all(entries: list[dict[str, Any]], size: str | None, key: str) -> list[float]:
    return [sample for entry in entries for sample in (entry[size] if size else entry)[key]]


def _time(entries: list[dict[str, Any]], size: str, key: str) -> str:
    samples = _all(entries, size, key)
    return f"{median(samples) * 1e3:.1f} ms ({min(samples) * 1e3:.1f})"


def _peak(entries: list[dict[str, Any]], size: str, key: str) -> str:
    return f"{max(entry[size][key] for entry in entries) / 1e9:.1f} GB"


if __name__ == "__main__":
    main()
