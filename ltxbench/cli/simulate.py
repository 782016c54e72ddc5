"""`ltxbench simulate`: how often the comparison is wrong, and how often it finds what is there."""

from __future__ import annotations

from typing import Annotated

import typer


def simulate(
    only: Annotated[list[str] | None, typer.Option(help="A scenario to run; may be repeated. [default: all]")] = None,
    scale: Annotated[float, typer.Option(min=0.0001, max=100, help="Times the number of pairs.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Feed scripted step times through records, samples, drift and comparison, and count the answers.

    10,000 pairs with no difference, true shifts of 5%, throttling machines. Takes about four minutes of
    one core. Exit code 7 when a stated rate is not kept.
    """
    import json
    import sys
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from ltxbench.errors import InvalidMeasurement, UsageError
    from ltxbench.trust.simulation.noise import NoiseModel
    from ltxbench.trust.simulation.scenarios import SCENARIOS, as_row
    from ltxbench.trust.simulation.scenarios import simulate as run

    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := [name for name in only or () if name not in known]:
        raise UsageError(f"no scenario {unknown[0]!r}", hint=f"Scenarios: {', '.join(known)}.")
    model = NoiseModel()
    tallies = []
    with TemporaryDirectory(prefix="ltxbench-simulate-") as folder:
        for name in only or known:
            pairs = max(1, round(known[name].pairs * scale))
            print(f"{known[name].title}: {pairs:,} pairs", file=sys.stderr)
            tallies.append(run(known[name], model, pairs=pairs, seed=seed, folder=Path(folder) / name))
    if as_json:
        print(
            json.dumps({"seed": seed, "noise": model.label, "scenarios": [as_row(each) for each in tallies]}, indent=1)
        )
    else:
        _show([as_row(each) for each in tallies], model.label)
    if broken := [each.scenario.title for each in tallies if not each.kept]:
        raise InvalidMeasurement(f"the stated rate is not kept: {'; '.join(broken)}")


def _show(rows: list[dict[str, object]], noise: str) -> None:
    print(f"Noise: {noise}.\n")
    head = ("scenario", "pairs", "rounds", "faster", "slower", "same", "open", "wrong", "right", "stated", "kept")
    lines = [head] + [
        (
            str(row["title"]),
            f"{row['pairs']:,}",
            str(row["rounds"]),
            *(str(row[word]) for word in ("faster", "slower", "same", "inconclusive")),
            f"{row['wrong_rate']:.2%}",
            "" if row["right_rate"] is None else f"{row['right_rate']:.1%}",
            str(row["stated"]),
            "yes" if row["kept"] else "NO",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
