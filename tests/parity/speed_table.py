"""The tables of a result of `tests.parity.speed`, as Markdown: `python -m tests.parity.speed_table RESULT.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from ltxbench.model.flops import forward_flops, parameter_count
from ltxbench.model.transformer_config import TransformerConfig
from tests.parity.speed import MATMUL, SIZES, TEXT_TOKENS

FLOPS_PER_MATMUL = 2 * MATMUL**3
CONFIG = TransformerConfig()
"""The 19B's."""


def main() -> None:
    result = json.loads(Path(sys.argv[1]).read_text())
    print(table(result), standing(result), sep="\n\n")


def standing(result: dict[str, Any]) -> str:
    """Both sides beside what the arithmetic takes at the better of the two measured rates of matrix products."""
    measured = sizes(result)
    lines = [f"| One forward | {' | '.join(measured)} | peak memory |", "|---|" + "---:|" * (len(measured) + 1)]
    for side, name in (("torch", "official PyTorch"), ("mlx", "this project")):
        times = [f"{forward_s(result, side, size) * 1e3:.1f} ms" for size in measured]
        rounds = [entry for entry in result["rounds"] if entry["side"] == side]
        peaks = [max(entry[size]["peak_bytes"] for entry in rounds) / 1e9 for size in (measured[0], measured[-1])]
        lines.append(f"| {name} | {' | '.join(times)} | {peaks[0]:.1f} to {peaks[1]:.1f} GB |")
    rate = FLOPS_PER_MATMUL / min(median(_all([entry], None, "matmul_s")) for entry in result["rounds"])
    weights = f"{2 * parameter_count(CONFIG) / 1e9:.1f} GB"
    for name, cached in (("arithmetic", False), ("arithmetic, the text once a generation", True)):
        work = [forward_flops(CONFIG, _tokens(size), TEXT_TOKENS, text_cached=cached) for size in measured]
        times = [f"{flops / rate * 1e3:.1f} ms" for flops in work]
        lines.append(f"| {name}, at {rate / 1e12:.0f} TFLOP/s | {' | '.join(times)} | {weights} |")
    return "\n".join(lines)


def _tokens(size: str) -> int:
    frames, height, width = SIZES[size]
    return frames * height * width


def table(result: dict[str, Any]) -> str:
    """Medians over all repetitions of all rounds; in brackets the fastest one."""
    rounds = result["rounds"]
    torch, mlx = ([entry for entry in rounds if entry["side"] == side] for side in ("torch", "mlx"))
    lines = [
        "| One forward, bfloat16 | official PyTorch, eager | peak | this project | peak | ratio | guided step | peak |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in sizes(result):
        forward_s, reference_s = (median(_all(side, name, "forward_s")) for side in (mlx, torch))
        step_s = median(_all(mlx, name, "guided_step_s"))
        lines.append(
            f"| {name} | {_time(torch, name, 'forward_s')} | {_peak(torch, name, 'peak_bytes')} "
            f"| {_time(mlx, name, 'forward_s')} | {_peak(mlx, name, 'peak_bytes')} | **{forward_s / reference_s:.2f}** "
            f"| {step_s * 1e3:.1f} ms = {step_s / forward_s:.2f} forwards | {_peak(mlx, name, 'guided_peak_bytes')} |"
        )
    rates = [f"{FLOPS_PER_MATMUL / median(_all(side, None, 'matmul_s')) / 1e12:.0f}" for side in (torch, mlx)]
    devices = sorted({entry["device"] for entry in rounds})
    versions = dict(item for entry in rounds for item in entry["versions"].items())
    named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    about = f"{', '.join(devices)}; {named}; Python {result['python']}."
    return "\n".join([*lines, "", f"{about} Matmul rate: {rates[0]} TFLOP/s by PyTorch, {rates[1]} by MLX."])


def sizes(result: dict[str, Any]) -> list[str]:
    """Those that every round measured."""
    return [name for name in SIZES if all(name in entry for entry in result["rounds"])]


def forward_s(result: dict[str, Any], side: str, size: str) -> float:
    """The median of one side's forwards."""
    return median(_all([entry for entry in result["rounds"] if entry["side"] == side], size, "forward_s"))


def _all(entries: list[dict[str, Any]], size: str | None, key: str) -> list[float]:
    return [sample for entry in entries for sample in (entry[size] if size else entry)[key]]


def _time(entries: list[dict[str, Any]], size: str, key: str) -> str:
    samples = _all(entries, size, key)
    return f"{median(samples) * 1e3:.1f} ms ({min(samples) * 1e3:.1f})"


def _peak(entries: list[dict[str, Any]], size: str, key: str) -> str:
    return f"{max(entry[size][key] for entry in entries) / 1e9:.1f} GB"


if __name__ == "__main__":
    main()
