"""benchmark-action/github-action-benchmark, `tool: customSmallerIsBetter`: a list of named figures."""

from __future__ import annotations

import json

from ltxbench.exports.figures import figures
from ltxbench.regression.entry import Entry


def github_action(entry: Entry) -> bytes:
    """`range` is half the distance between the fastest and the slowest round, absent for one round."""
    rows = []
    for each in figures(entry):
        row: dict[str, object] = {"name": f"{each.case}: {each.title}", "unit": each.unit, "value": each.value}
        if each.rounds > 1:
            row["range"] = f"± {(each.high - each.low) / 2:.4g}"
        rounds = f"{each.rounds} round{'' if each.rounds == 1 else 's'}"
        row["extra"] = f"matrix {entry.matrix}, run {entry.id}, {rounds}, {entry.machine.chip}"
        rows.append(row)
    return (json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
