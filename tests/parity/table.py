"""Runs the comparisons and writes what they measured to docs/equality.md: `python -m tests.parity.table`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "equality.md"
REFERENCES = ("ltx-core", "diffusers", "transformers", "torch")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "errors.json"
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "tests/parity", "-q"],
            cwd=ROOT,
            env={**os.environ, "LTXBENCH_PARITY_JSON": str(results)},
        )
        if run.returncode:
            sys.exit(run.returncode)
        rows = json.loads(results.read_text())
    PAGE.write_text(page(rows))
    print(f"wrote {PAGE.relative_to(ROOT)}: {len(rows)} comparisons")


def page(rows: list[dict[str, Any]]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in REFERENCES)
    return "\n".join(
        [
            "# Equality with the official pipeline",
            "",
            "Written by `make equality`; do not edit. Every comparison runs live against the official PyTorch code",
            "with fresh random weights and inputs, on the CPU.",
            "",
            f"References: {versions}; mlx {version('mlx')}.",
            "",
            "## float32",
            "",
            "Relative error is ‖out − ref‖ / ‖ref‖; the table shows the worst of all configurations.",
            "",
            "| Component | Configurations | Worst error | Limit |",
            "|---|---:|---:|---:|",
            *(
                f"| {component} | {len(group)} | {max(row['error'] for row in group):.1e} | {group[0]['limit']:.0e} |"
                for component, group in _by_component(rows, "error").items()
            ),
            "",
            "## bfloat16",
            "",
            "Error of MLX and of torch, both computing in bfloat16, against the official code in float32.",
            "The limit is 1.5 times torch's own error.",
            "",
            "| Component | Configurations | MLX | torch | MLX / torch, worst |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {component} | {len(group)} | {_mean(group, 'bf16_error'):.1e} "
                f"| {_mean(group, 'torch_bf16_error'):.1e} "
                f"| {max(row['bf16_error'] / row['torch_bf16_error'] for row in group):.2f} |"
                for component, group in _by_component(rows, "bf16_error").items()
            ),
            "",
        ]
    )


def _by_component(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if key in row:
            groups[row["component"][:1].upper() + row["component"][1:]].append(row)
    return dict(sorted(groups.items(), key=lambda item: item[0].lower()))


def _mean(group: list[dict[str, Any]], key: str) -> float:
    return float(sum(row[key] for row in group) / len(group))


if __name__ == "__main__":
    main()
