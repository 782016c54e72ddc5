"""The results of `make microbench` as Markdown: python -m tests.microbench.table [.benchmarks/microbench.json]."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ltxbench.report import format as fmt

RESULTS = Path(".benchmarks/microbench.json")


def table(results: dict[str, Any]) -> str:
    lines = ["| Benchmark | Median | Spread (IQR) | Rounds | Rate |", "|---|---:|---:|---:|---:|"]
    for entry in results["benchmarks"]:
        stats, flops = entry["stats"], entry["extra_info"].get("flops")
        rate = fmt.flops_rate(flops / stats["median"]) if flops else ""
        name = entry["name"].removeprefix("test_").replace("_", " ")
        spread, median = (fmt.seconds(_rounded(stats[name])) for name in ("iqr", "median"))
        lines.append(f"| {name} | {median} | {spread} | {stats['rounds']} | {rate} |")
    return "\n".join(lines)


def _rounded(value_s: float) -> float:
    """To the microsecond: below it a spread is noise of the clock."""
    return round(value_s, 6)


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    print(table(json.loads(given.read_text())))
